"""The console script `adamas`, and `python -m adamas.lab`."""

import sys
from importlib.util import find_spec

_NEEDED = ("typer", "rich", "plotly", "jinja2", "pydantic", "numpy", "sklearn", "scipy", "optuna")


def main() -> None:
    """Runs the command line; without the lab's libraries, says how to get them and exits with 2."""
    missing = [module for module in _NEEDED if find_spec(module) is None]
    if missing:
        print(f"adamas: the lab needs {', '.join(missing)}: pip install 'adamas[lab]'", file=sys.stderr)
        sys.exit(2)
    from adamas.lab.cli import app
    from adamas.lab.errors import first_line

    try:
        app(prog_name="adamas")
    except Exception as error:
        # What a person can put right, the app has said by now: this is a mistake of ours.
        if "--debug" in sys.argv:
            raise
        sys.exit(f"adamas: unexpected {first_line(error)}; please report it, with what --debug adds")


if __name__ == "__main__":
    main()
