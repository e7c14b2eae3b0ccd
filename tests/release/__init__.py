"""Gradient release: the plain step's numbers, without all gradients at once."""
