"""Many objects asked at once: the compiled library finds what Python finds, with and without torch's function."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adamas.engines import library, objects


@pytest.fixture(params=["compiled", "without torch's function", "without the library"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "compiled" and library.load() is None:
        pytest.skip("no compiled library")
    if request.param == "without torch's function":
        monkeypatch.setattr(objects, "_torchs_address", lambda: 0)
    if request.param == "without the library":
        monkeypatch.setattr(library, "load", lambda: None)
    objects._calls.cache_clear()
    yield request.param
    objects._calls.cache_clear()


def tensors(count: int) -> list[torch.Tensor]:
    whole = torch.randn(count + 4, 3)
    made = [whole[i:] for i in range(count)]
    made[::5] = [torch.zeros(()) for _ in made[::5]]
    made[3::7] = [torch.nn.Parameter(torch.zeros(0, 2)) for _ in made[3::7]]
    return made


@pytest.mark.parametrize("count", [0, 1, 11, 12, 1000])
def test_addresses(way: str, count: int) -> None:
    made = tensors(count)
    assert objects.addresses(made) == array("Q", [x.data_ptr() for x in made])


def test_a_tensor_without_numbers_is_torchs_error(way: str) -> None:
    with pytest.raises(RuntimeError, match="storage"):
        objects.addresses([*tensors(40), torch.ones(2).to_sparse()])


def test_something_else_is_an_error(way: str) -> None:
    things: list = [*tensors(40), None]
    with pytest.raises(TypeError, match="NoneType"):
        objects.addresses(things)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 1000])
def test_identical(way: str, count: int) -> None:
    made = tensors(count)
    assert objects.identical(list(made), made)
    assert not objects.identical([*made, None], made)
    for place in {0, count // 2, count - 1} if count else ():
        other = list(made)
        other[place] = other[place].detach()  # equal, and another
        assert not objects.identical(other, made)


@given(st.integers(64, 200), st.data())
def test_order_is_looked_at(count: int, data: st.DataObject) -> None:
    made = tensors(count)
    shuffled = data.draw(st.permutations(made))
    assert objects.identical(shuffled, made) == ([*map(id, shuffled)] == [*map(id, made)])


def test_a_function_that_says_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = library.load()
    if loaded is None:
        pytest.skip("no compiled library")
    # Takes an address and returns a number: the shape of torch's function, and not what it finds.
    wrong = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
    monkeypatch.setattr(objects, "_torchs_address", lambda: wrong)
    objects._calls.cache_clear()
    try:
        made = tensors(30)
        assert objects.addresses(made) == array("Q", [x.data_ptr() for x in made])
        calls = objects._calls()
        assert calls is not None
        assert calls.address == 0
    finally:
        objects._calls.cache_clear()


def test_this_torch_has_its_function() -> None:
    """Where this fails steps are slower, not wrong: look for the new name of what inductor's graphs call."""
    assert objects._torchs_address() != 0
