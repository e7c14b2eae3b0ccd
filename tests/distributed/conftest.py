from collections.abc import Iterator

import pytest
import torch

from .ranks import Ranks


@pytest.fixture(scope="session")
def ranks() -> Iterator[Ranks]:
    """Processes that do jobs together."""
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    server = Ranks()
    yield server
    server.close()
