"""Engines: who runs a step. ``plan`` turns parameter groups into launches for them."""
