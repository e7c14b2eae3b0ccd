"""Importing a class by the string `package.module:Class`, also from the folder the program was started in."""

import os
import sys
from importlib import import_module

from adamas.lab.errors import LabError, first_line


def load_class(path: str, what: str) -> type:
    """Imports a class.

    Args:
        path: `package.module:Class`.
        what: what it is to be, for the error message.

    Raises:
        LabError: there is no such module, or it has no such class.

    Example:
        >>> load_class("torch.optim:SGD", "optimizer").__name__
        'SGD'
    """
    module, _, name = path.partition(":")
    # A console script, unlike `python -m`, does not look for modules in the folder it is started in.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        remedy = "check the spelling, and that it is installed or found from this folder"
        raise LabError(f"{what} {path!r} can't be loaded ({first_line(error)})", remedy) from error
    if not isinstance(found, type):
        raise LabError(f"{path!r} is no class, but {type(found).__name__}", f"name the {what}'s class")
    return found
