"""The Triton engine, in Triton's interpreter and compiled for GPUs that are not there."""
