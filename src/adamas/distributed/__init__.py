"""Training over many processes. Nothing here is needed for FSDP2: its parameters are stepped as they are.

| room | holds |
|---|---|
| `zero1` | `ZeRO1`: moments shared out between the processes of DistributedDataParallel |
| `gathering` | sends the pieces of weights that each process has stepped, while the next are stepped |
"""

from adamas.distributed.zero1 import ZeRO1
from adamas.lost import LostProcessError, together

__all__ = ["LostProcessError", "ZeRO1", "together"]
