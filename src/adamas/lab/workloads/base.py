"""What every workload has, and what it may have besides: variants, pictures, a loss of its own to descend."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from adamas.lab.errors import LabError
from adamas.lab.pictures import Picture

if TYPE_CHECKING:
    from adamas.lab.data import Batch, Data


class Base:
    """Defaults for what a workload need not say.

    Args:
        variant: one of `variants`; the first by default.

    Raises:
        LabError: there is no such variant.

    Example:
        >>> class Mine(Base):
        ...     variants = ("plain", "fancy")
        >>> Mine().variant, Mine("fancy").variant
        ('plain', 'fancy')
    """

    variants: ClassVar[tuple[str, ...]] = ()
    """Names that `name@variant` may end with, the default first."""

    learning_rates: Mapping[str, float] = {}
    """Tuned learning rate by optimizer name."""

    metric_format: ClassVar[str] = ".2%"
    """How a metric is printed; the default is for one that is a share."""

    def __init__(self, variant: str = ""):
        self.variant = checked_variant(type(self), variant)

    # The methods below are only ever called on a workload; `loss` is the workload's own.
    loss: Any

    def training_loss(self, model: nn.Module, batch: "Batch") -> Tensor:
        """What training descends, where that is not the loss that is reported."""
        return self.loss(model, batch)

    def trainable(self, model: nn.Module) -> list[nn.Parameter]:
        """The parameters given to the optimizer, in an order that never changes."""
        return [parameter for parameter in model.parameters() if parameter.requires_grad]

    def pictures(self, model: nn.Module, data: "Data") -> list[Picture]:
        """What to look at once the model is trained. Called in evaluation mode, with gradients."""
        return []


def checked_variant(workload: type, variant: str) -> str:
    """The variant itself, or the first one if it is empty.

    Raises:
        LabError: the workload has no such variant.

    Example:
        >>> checked_variant(type("Mine", (Base,), {"variants": ("plain", "fancy")}), "fancier")
        Traceback (most recent call last):
        adamas.lab.errors.LabError: Mine has no variant 'fancier': did you mean 'fancy'?
    """
    variants: tuple[str, ...] = getattr(workload, "variants", ())
    if not variant:
        return variants[0] if variants else ""
    if variant not in variants:
        close = get_close_matches(variant, variants, n=1)
        known = f"there are {', '.join(variants)}" if variants else "leave out the @ and what follows"
        remedy = f"did you mean {close[0]!r}?" if close else known
        raise LabError(f"{workload.__name__} has no variant {variant!r}", remedy)
    return variant
