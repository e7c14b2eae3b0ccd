"""Triton kernels: for GPUs what ``csrc`` is for CPUs, function by function, to the bit. Imported only where they run.

They are to be launched with ``enable_fp_fusion=False``: a multiply-add that is fused has other bits. Division and
square root are asked for by their correctly rounded names (`adamas.kernels.vocabulary`). Sums have a fixed order.
"""
