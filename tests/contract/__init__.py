"""What a program that was written for torch.optim may rely on, class by class, on every engine."""
