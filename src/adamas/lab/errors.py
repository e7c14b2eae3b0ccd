"""The one exception the lab raises for things a person can put right."""


class LabError(Exception):
    """What went wrong in one line, and what to do about it in another.

    Args:
        problem: what was given and why it does not work.
        remedy: what to do now; a command or an option where there is one.

    Example:
        >>> str(LabError("no workload is called 'cmn'", "did you mean 'cnn'?"))
        "no workload is called 'cmn': did you mean 'cnn'?"
    """

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}"


def first_line(error: BaseException) -> str:
    """Says an exception in one line: its type, and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
