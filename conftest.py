"""Kernels run in Triton's interpreter, on the CPU; it has to be told so before anything imports it.

With ``TRITON_INTERPRET=0`` they run on a GPU (``make gpu-test``), which `tests/triton` alone is for.
"""

import importlib.util
import os

os.environ.setdefault("TRITON_INTERPRET", "1")

# Without Triton (it is for Linux) its kernels cannot be imported, and so not be looked at for examples.
collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["src/adamas/kernels/*.py", "tests/triton/*.py"]
