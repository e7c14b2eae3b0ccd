"""What is timed: each case is data, with the bar it has to clear.

A case names its tensors, its dtype and its contenders. To add one, write one more `Case` in `CASES`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One contender of a case: an adapter, and what this case asks of it.

    Attributes:
        name: how the table calls it; unique in the case.
        adapter: a key of `contenders.ADAPTERS`, or an import string `package.module:Class`.
        options: keyword arguments on top of the adapter's own.
        group_per_tensor: give every tensor a parameter group (and a learning rate) of its own.
        clip_grad_norm: call ``torch.nn.utils.clip_grad_norm_`` with this norm before every step.
    """

    name: str
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)
    group_per_tensor: bool = False
    clip_grad_norm: float | None = None


@dataclass(frozen=True)
class Bar:
    """A promise about a ratio of median step times: `over / under`, at least or at most a number.

    Example:
        >>> print(Bar("torch-fused", "adamas", at_least=0.97))
        torch-fused / adamas >= 0.97
        >>> Bar("torch-fused", "adamas", at_least=0.97).met(1.01)
        True
    """

    over: str
    under: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool:
        """Say whether a measured ratio keeps the promise."""
        above = self.at_least is None or ratio >= self.at_least
        below = self.at_most is None or ratio <= self.at_most
        return above and below

    def __str__(self) -> str:
        limits = [(">=", self.at_least), ("<=", self.at_most)]
        return f"{self.over} / {self.under} " + " and ".join(
            f"{sign} {value:g}" for sign, value in limits if value is not None
        )


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        key: its name on the command line.
        title: one line for the table.
        shapes: from `quick` to the list of tensor shapes.
        dtype: of weights and gradients, as torch calls it.
        entries: the contenders, in the order in which they take turns.
        base: the entry all ratios are over (the first one measured, if this one is missing).
        bar: what has to hold.
        traffic: bytes a parameter that the base has to move in a step, spelled out (see `summary.Traffic`).
        grad_reads: how often a step cannot avoid reading the gradients.
        zero_grad: whether ``zero_grad()`` is timed with the step. (It lets go of the gradients; the worker has kept
            them, and gives them back.)
        touched: rows that a step has gradients for, if those are sparse; None: dense.
    """

    key: str
    title: str
    shapes: Callable[[bool], list[Shape]]
    dtype: str
    entries: tuple[Entry, ...]
    base: str
    bar: Bar
    traffic: str
    grad_reads: int = 1
    zero_grad: bool = False
    touched: int | None = None


def one_large(quick: bool = False) -> list[Shape]:
    """One tensor of 33.5 M parameters: far larger than any cache, so only memory counts.

    Example:
        >>> one_large()
        [(33500000,)]
    """
    return [(100_000,)] if quick else [(33_500_000,)]


def thousand_small(quick: bool = False) -> list[Shape]:
    """A thousand tensors of 64 x 64: the cost per tensor counts.

    Example:
        >>> len(thousand_small()), thousand_small()[0]
        (1000, (64, 64))
    """
    return [(64, 64)] * (20 if quick else 1000)


def one_table(quick: bool = False) -> list[Shape]:
    """An embedding table of a million rows of 64.

    Example:
        >>> one_table()
        [(1000000, 64)]
    """
    return [(6000, 64)] if quick else [(1_000_000, 64)]


def resnet152_backbone(quick: bool = False) -> list[Shape]:
    """ResNet-152 without its classifier: 155 convolutions, each with a batch norm's weight and bias.

    He and others 2015, "Deep Residual Learning for Image Recognition", table 1, arXiv 1512.03385.

    Example:
        >>> import math
        >>> shapes = resnet152_backbone()
        >>> len(shapes), sum(math.prod(shape) for shape in shapes)
        (465, 58143808)
    """

    def convolution(cout: int, cin: int, width: int) -> list[Shape]:
        return [(cout, cin, width, width), (cout,), (cout,)]

    shapes = convolution(64, 3, 7)
    channels = 64
    for blocks, planes in zip((3, 8, 36, 3), (64, 128, 256, 512), strict=True):
        for block in range(blocks):
            shapes += convolution(planes, channels, 1) + convolution(planes, planes, 3)
            shapes += convolution(4 * planes, planes, 1)
            if block == 0:  # the shortcut changes the number of channels once per stage
                shapes += convolution(4 * planes, channels, 1)
            channels = 4 * planes
    return shapes[:33] if quick else shapes


P1 = Case(
    key="P1",
    title="AdamW float32, one tensor",
    shapes=one_large,
    dtype="float32",
    entries=(
        Entry("adamas", "adamas"),
        Entry("torch-fused", "torch-fused"),
        Entry("torch-foreach", "torch-foreach"),
        Entry("torch-loop", "torch-loop"),
        Entry("adamas-reference", "adamas", {"engine": "reference"}),
        Entry("deepspeed", "deepspeed"),
        Entry("schedulefree", "schedulefree"),
        Entry("pytorch_optimizer", "pytorch_optimizer"),
        Entry("bitsandbytes-8bit", "bitsandbytes-8bit"),
        # 33.5 M is no multiple of torchao's block of 256: it would keep float32 moments without saying so.
        Entry("torchao-8bit", "torchao-8bit", {"block_size": 250}),
    ),
    base="adamas",
    bar=Bar("torch-fused", "adamas", at_least=0.97),
    traffic="p, g, m, v read and p, m, v written, 4 bytes each: 28",
)

P2 = Case(
    key="P2",
    title="AdamW float32, many small tensors",
    shapes=thousand_small,
    dtype="float32",
    entries=(
        Entry("adamas", "adamas"),
        Entry("torch-fused", "torch-fused"),
        Entry("torch-foreach", "torch-foreach"),
        Entry("torch-loop", "torch-loop"),
        Entry("adamas-reference", "adamas", {"engine": "reference"}),
        Entry("deepspeed", "deepspeed"),
    ),
    base="adamas",
    bar=Bar("torch-fused", "adamas", at_least=3.0),
    traffic=P1.traffic,
)

P3 = Case(
    key="P3",
    title="AdamW bfloat16, adamas with stochastic rounding and float32 moments",
    shapes=one_large,
    dtype="bfloat16",
    entries=(
        Entry("adamas", "adamas", {"rounding": "stochastic", "state_format": "float32"}),
        Entry("torch-fused", "torch-fused"),
    ),
    base="adamas",
    bar=Bar("torch-fused", "adamas", at_least=1.5),
    traffic="p, g read, p written, 2 bytes each; m, v read and written, 4 bytes each: 22 (torch: 2 each, 14)",
)

P4 = Case(
    key="P4",
    title="AdamW float32 with int8 moments, against float32 moments",
    shapes=one_large,
    dtype="float32",
    entries=(
        Entry("adamas-int8", "adamas", {"state_format": "int8"}),
        Entry("torch-fused", "torch-fused"),
        Entry("adamas-int4", "adamas", {"state_format": "int4"}),
        Entry("adamas-float32", "adamas"),
        Entry("bitsandbytes-8bit", "bitsandbytes-8bit"),
        Entry("torchao-8bit", "torchao-8bit", {"block_size": 250}),  # as in P1
    ),
    base="adamas-int8",
    bar=Bar("torch-fused", "adamas-int8", at_least=0.95),
    traffic="p, g read, p written, 4 bytes each; m, v read and written, 1.03 bytes each: 16.1",
)

P5 = Case(
    key="P5",
    title="AdamW bfloat16 with int8 or int4 moments",
    shapes=one_large,
    dtype="bfloat16",
    entries=(
        Entry("adamas-int8", "adamas", {"rounding": "stochastic", "state_format": "int8"}),
        Entry("torch-fused", "torch-fused"),
        Entry("adamas-int8-split24", "adamas", {"rounding": "split24", "state_format": "int8"}),
        Entry("adamas-int4", "adamas", {"rounding": "stochastic", "state_format": "int4"}),
        Entry("adamas-int4-split24", "adamas", {"rounding": "split24", "state_format": "int4"}),
    ),
    base="adamas-int8",
    bar=Bar("torch-fused", "adamas-int8", at_least=1.2),
    traffic="p, g read, p written, 2 bytes each; m, v read and written, 1.03 bytes each: 10.1 (torch: 14)",
)

P6 = Case(
    key="P6",
    title="Adam float32, sparse gradients of 4096 rows of a table",
    shapes=one_table,
    dtype="float32",
    entries=(
        Entry("adamas-exact", "adamas"),
        Entry("torch-sparse", "torch-sparse"),
        Entry("adamas-lazy", "adamas", {"sparse": "lazy"}),
        Entry("adamas-sparse", "adamas-sparse"),
    ),
    base="adamas-exact",
    bar=Bar("torch-sparse", "adamas-exact", at_least=15.0),
    traffic="of touched rows p, g, m, v read and p, m, v written, 4 bytes each: 28 for 0.4 % of parameters, 0.11",
    touched=4096,
)

P7 = Case(
    key="P7",
    title="AdamW float32, gradients clipped to norm 1, step, zero_grad",
    shapes=one_large,
    dtype="float32",
    entries=(
        Entry("adamas", "adamas", {"clip_norm": 1.0}),
        Entry("torch-fused", "torch-fused", clip_grad_norm=1.0),
        Entry("adamas-unclipped", "adamas"),
    ),
    base="adamas",
    bar=Bar("torch-fused", "adamas", at_least=1.25),
    traffic="as P1, and g read once more for the norm: 32 (torch: 40, it also reads and writes g to scale it)",
    grad_reads=2,
    zero_grad=True,
)

P9 = Case(
    key="P9",
    title="AdamW float32, ResNet-152's backbone, a group per tensor or one in all",
    shapes=resnet152_backbone,
    dtype="float32",
    entries=(
        Entry("adamas-grouped", "adamas", group_per_tensor=True),
        Entry("adamas-one-group", "adamas"),
        Entry("torch-grouped", "torch-fused", group_per_tensor=True),
        Entry("torch-one-group", "torch-fused"),
    ),
    base="adamas-one-group",
    bar=Bar("adamas-grouped", "adamas-one-group", at_most=1.1),
    traffic=P1.traffic,
)

CASES: dict[str, Case] = {case.key: case for case in (P1, P2, P3, P4, P5, P6, P7, P9)}
