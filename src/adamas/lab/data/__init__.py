"""Data sets: where each is found, how it is fetched, and what it is as tensors or text.

Nothing is downloaded unless `adamas data get` is told to. A new data set is a row in `registry` and a function in
`images` or `texts`.
"""

from adamas.lab.data.images import digits, fashion, mnist5k
from adamas.lab.data.split import Batch, Data, fixed_split

__all__ = ["Batch", "Data", "digits", "fashion", "fixed_split", "mnist5k"]
