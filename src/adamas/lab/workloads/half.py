"""Models whose weights have 16 bits and no copy in float32: what is kept between steps is the optimizer's business."""

from torch import Tensor, nn


class Half(nn.Sequential):
    """A sequence of modules in bfloat16, from float32 to float32; its weights are drawn in float32 and rounded.

    Example:
        >>> import torch
        >>> model = Half(nn.Linear(2, 3))
        >>> model[0].weight.dtype, model(torch.zeros(1, 2)).dtype
        (torch.bfloat16, torch.float32)
    """

    def __init__(self, *modules: nn.Module):
        super().__init__(*modules)
        self.bfloat16()

    def forward(self, input: Tensor) -> Tensor:
        """What the modules make of the rounded input; losses are taken in float32."""
        return super().forward(input.bfloat16()).float()
