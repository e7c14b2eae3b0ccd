"""Bottleneck adapters: small layers inside a frozen network (Houlsby and others 2019, arXiv 1902.00751)."""

from torch import Tensor, nn
from torch.nn import functional


class Adapted(nn.Module):
    """A frozen layer, and a correction of what it returns that starts at zero.

    Args:
        layer: the layer.
        width: of what it returns.
        bottleneck: width of the correction's hidden layer.
    """

    def __init__(self, layer: nn.Module, width: int, bottleneck: int):
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The layer's y, plus up(gelu(down(y)))."""
        signal = self.layer(*inputs)
        return signal + self.up(functional.gelu(self.down(signal)))
