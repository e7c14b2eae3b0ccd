"""What `make mutations` seeds is still in the code: a bug whose place has changed would go missing without a word."""

from __future__ import annotations

import pytest

from tools.mutations import ROOT
from tools.seeded_bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_what_a_bug_replaces_is_there(bug: Bug) -> None:
    assert bug.old in (ROOT / "src" / "adamas" / bug.path).read_text()
