"""Trains with the real FlashOptim on the CPU, in Triton's interpreter, and saves what it saved and what it reads.

    TRITON_INTERPRET=1 python -m tests.checkpoint.flashing float32 FILE

Its kernels run as they are. Only what asks for a GPU is answered for it: whether there is one, how many processors it
has, which of several launch sizes is the fastest.
"""

import sys
from importlib import import_module
from typing import Any

import torch

from ..contract.training import gradients, weights

SHAPES = ((96, 50), (17, 3), (30,))  # blocks of 32 that cross rows, and short last ones


def _with_a_gpu() -> Any:
    """Return FlashOptim's module; by name, so that this file can be read where it isn't installed."""
    optimizers: Any = import_module("flashoptim.optimizers")
    optimizers._get_sm_count = lambda device=None: 2
    torch.cuda.is_available = lambda: True
    for kernel in (optimizers._triton_quantize_kernel, optimizers._triton_dequantize_kernel):
        kernel.configs = kernel.configs[:1]

    def set_data(self: Any, data: torch.Tensor) -> None:
        form = {"signed": self._signed, "sqrt": self._sqrt, "softsign": self._softsign}
        self._data, (self._quantized, self._scales) = None, optimizers.quantize(data, **form)

    optimizers._MaybeQuantizedTensor.set_data = set_data
    return optimizers


def main(dtype: str, path: str) -> None:
    """Write the state dict, and the moments as FlashOptim itself reads them."""
    optimizers = _with_a_gpu()
    params = [torch.nn.Parameter(p.detach().to(getattr(torch, dtype))) for p in weights(SHAPES)]
    hyper = {"lr": 0.125, "betas": (0.5, 0.75), "weight_decay": 0.5}
    optimizer = optimizers.FlashAdamW(params, **hyper, master_weight_bits=None, fused=False)
    for grads in gradients(params, steps=3):
        for p, g in zip(params, grads, strict=True):
            p.grad = g.to(p.dtype)
        optimizer.step()
    read = [{slot: optimizer.state[p][slot].materialize() for slot in ("exp_avg", "exp_avg_sq")} for p in params]
    torch.save({"saved": optimizer.state_dict(), "read": read}, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
