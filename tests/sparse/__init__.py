"""Sparse gradients: lazy and exact, on both engines."""
