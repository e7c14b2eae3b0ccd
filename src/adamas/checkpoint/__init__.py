"""Checkpoints: the state of an optimizer, matched, checked and copied; exchanged with others; and files of it all."""

from adamas.checkpoint.damage import DamagedCheckpoint
from adamas.checkpoint.exchange import to_torch
from adamas.checkpoint.files import Loaded, load, save
from adamas.checkpoint.imports import from_bitsandbytes, from_flashoptim, from_torchao
from adamas.checkpoint.loading import header, load_state_dict
from adamas.checkpoint.matching import LoadReport

__all__ = [
    "DamagedCheckpoint",
    "LoadReport",
    "Loaded",
    "from_bitsandbytes",
    "from_flashoptim",
    "from_torchao",
    "header",
    "load",
    "load_state_dict",
    "save",
    "to_torch",
]
