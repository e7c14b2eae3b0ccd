"""How the lab starts processes: by a server that has imported what they need, where that can be forked."""

import sys
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, SpawnContext


def context_with(module: str) -> ForkServerContext | SpawnContext:
    """A context whose processes have a module from the start: importing torch and the lab takes seconds.

    The server has used no threads of torch's, so it may be forked; on macOS libraries of the system start some of their
    own, and Windows has no fork. It has the environment of the program when the first process was started.

    Args:
        module: name of what to import; the first that is asked for in a program counts.
    """
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    return context
