"""`python -m adamas.lab.bench`, the same as `adamas bench`."""

import sys

import typer

from adamas.lab.bench.command import bench
from adamas.lab.errors import LabError

if __name__ == "__main__":
    try:
        typer.run(bench)
    except LabError as error:
        sys.exit(f"error: {error}")
