"""Update rules: one small file each, from the paper, and the language they are written in."""

from adamas.rules.adagrad import Adagrad
from adamas.rules.adam import Adam, AMSGrad, SparseAdam
from adamas.rules.adam_variants import (
    EPS_MODES,
    Atan2Adam,
    CautiousAdam,
    InsideAdam,
    NesterovAdam,
    adam_variant,
)
from adamas.rules.adamax import Adamax
from adamas.rules.language import absolute, lerp, maximum, sign, sqrt
from adamas.rules.lion import Lion
from adamas.rules.nadam import NAdam
from adamas.rules.radam import RAdam
from adamas.rules.rmsprop import RMSprop, RMSpropCentered, RMSpropCenteredMomentum, RMSpropMomentum
from adamas.rules.rule import Counter, Rule, Slot
from adamas.rules.sgd import SGD, Momentum, Nesterov

# The rules that are compiled. Their order is their number in the C ABI: append only.
COMPILED: tuple[type[Rule], ...] = (
    SGD,
    Momentum,
    Nesterov,
    Adagrad,
    RMSprop,
    RMSpropMomentum,
    RMSpropCentered,
    RMSpropCenteredMomentum,
    Adam,
    AMSGrad,
    NAdam,
    RAdam,
    Adamax,
    Lion,
    InsideAdam,
    Atan2Adam,
    NesterovAdam,
    CautiousAdam,
    SparseAdam,
)

# Those whose scalars a GPU can compute by itself, for the optimizers that have ``capturable`` in torch.
CAPTURABLE: tuple[type[Rule], ...] = (
    RMSprop,
    RMSpropMomentum,
    RMSpropCentered,
    RMSpropCenteredMomentum,
    Adam,
    AMSGrad,
    NAdam,
    RAdam,
    Adamax,
    InsideAdam,
    Atan2Adam,
    NesterovAdam,
)

__all__ = [
    "CAPTURABLE",
    "COMPILED",
    "EPS_MODES",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "Adamax",
    "Atan2Adam",
    "CautiousAdam",
    "Counter",
    "InsideAdam",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "NesterovAdam",
    "RAdam",
    "RMSprop",
    "RMSpropCentered",
    "RMSpropCenteredMomentum",
    "RMSpropMomentum",
    "Rule",
    "Slot",
    "SparseAdam",
    "absolute",
    "adam_variant",
    "lerp",
    "maximum",
    "sign",
    "sqrt",
]
