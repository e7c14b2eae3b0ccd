"""A process that does not outlive the one that started it."""

import os
import threading
from multiprocessing import parent_process


def _wait() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def leave_with_parent() -> None:
    """Ends this process when its parent ends: a parent that is killed can't stop its children."""
    threading.Thread(target=_wait, daemon=True).start()
