"""Adamas: Adam and its family for PyTorch, written once, exact on every engine, at the speed of memory."""

from adamas import checkpoint, distributed, doctor, rules
from adamas.checkpoint import load, save
from adamas.doctor import rescale
from adamas.groups import param_groups
from adamas.memory import memory_report
from adamas.optimizer import Optimizer
from adamas.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Lion, NAdam, RAdam, RMSprop, SparseAdam
from adamas.rules import Counter, Rule, Slot

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Counter",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rule",
    "Slot",
    "SparseAdam",
    "checkpoint",
    "distributed",
    "doctor",
    "load",
    "memory_report",
    "param_groups",
    "rescale",
    "rules",
    "save",
]
