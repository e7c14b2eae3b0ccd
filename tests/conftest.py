"""What tests are run on: instruction sets of the compiled engine (``isa``), ``threads``, and several processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from adamas.engines import library

from .ranks import Ranks


@pytest.fixture
def restored_isa() -> Iterator[None]:
    """Leave the library on the instruction set that it was on."""
    loaded, before = library.load(), library.isa()
    yield
    assert loaded is not None
    assert before is not None
    loaded.adamas_use_isa(before.encode())


@pytest.fixture
def on_isa(isa: str, restored_isa: None) -> None:
    """Run on an instruction set, or skip where the CPU has none of that name."""
    loaded = library.load()
    assert loaded is not None
    if loaded.adamas_use_isa(isa.encode()) != 0:
        pytest.skip(f"this CPU or this build has no {isa}")


@pytest.fixture
def team(threads: int) -> Iterator[None]:
    """Run with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def ranks() -> Iterator[Ranks]:
    """Processes that do jobs together."""
    if not torch.distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    server = Ranks()
    yield server
    server.close()
