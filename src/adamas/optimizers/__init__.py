"""The public optimizers: torch.optim's signatures and state, any engine, any format.

Arguments after the star that torch does not have (``decay_mode``, ``engine``, ``state_format``, ``rounding``,
``seed``, ``nonfinite``, ``max_skips``, ``clip_norm`` and ``clip_update``) are described in `adamas.Optimizer`.
``foreach`` and ``fused`` are accepted and change nothing: there is one set of numbers.
"""

from adamas.optimizers.adagrad import Adagrad
from adamas.optimizers.adam import Adam, AdamW
from adamas.optimizers.adamax import Adamax
from adamas.optimizers.lion import Lion
from adamas.optimizers.nadam import NAdam
from adamas.optimizers.radam import RAdam
from adamas.optimizers.rmsprop import RMSprop
from adamas.optimizers.sgd import SGD
from adamas.optimizers.sparse_adam import SparseAdam

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "RAdam", "RMSprop", "SparseAdam"]
