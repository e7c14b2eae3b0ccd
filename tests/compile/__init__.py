"""torch.compile, and the operators."""
