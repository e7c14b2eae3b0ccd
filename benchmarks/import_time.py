"""Times `import adamas` after `import torch`, in fresh interpreters.

    python benchmarks/import_time.py [--rounds 15]

CPU time, with the bytecode of this package kept, as it is after `pip install`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from statistics import median

CODE = "import torch, time; start = time.process_time(); import adamas; print(time.process_time() - start)"


def main() -> None:
    """Print the fastest and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as kept:
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": kept}
        command = [sys.executable, "-c", CODE]
        seconds = [float(subprocess.check_output(command, env=env, text=True)) for _ in range(rounds + 1)][1:]
    fastest, typical = min(seconds) * 1e3, median(seconds) * 1e3
    print(f"import adamas after import torch: fastest {fastest:.1f} ms, median {typical:.1f} ms")


if __name__ == "__main__":
    main()
