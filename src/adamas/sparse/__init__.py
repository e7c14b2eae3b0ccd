"""Sparse gradients: steps that touch the touched rows only, lazily or as the dense step would have moved every row."""
