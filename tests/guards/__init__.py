"""Guards: non-finite gradients, clipping by norm, clipping by the size of updates."""
