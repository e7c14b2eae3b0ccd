"""Files of a whole training: what was saved comes back to the bit, what was damaged is refused, nothing gets lost."""

from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.checkpoint import DamagedCheckpoint, safetensors_file, torch_file
from adamas.checkpoint.trees import plain

from ..contract.measure import assert_same_bits, copies
from ..contract.training import gradients, train

SUFFIXES = (".safetensors", ".pt")
every_suffix = pytest.mark.parametrize("suffix", SUFFIXES)
FILES = {".safetensors": safetensors_file, ".pt": torch_file}

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.bool, torch.uint8, torch.uint16, torch.int8, torch.int64),
)


class Training:
    """A model with dropout, an optimizer, a scheduler: a step of it depends on all that a checkpoint holds."""

    def __init__(self, width: int = 8, seed: int = 0, **hyper: Any) -> None:
        torch.manual_seed(seed)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(6, width), torch.nn.BatchNorm1d(width), torch.nn.Dropout(0.5), torch.nn.Linear(width, 1)
        )
        self.optimizer = adamas.AdamW(self.model.named_parameters(), **{"lr": 0.05, **hyper})
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, max_lr=0.1, total_steps=50)

    def parts(self) -> tuple[Any, Any, Any]:
        return self.model, self.optimizer, self.scheduler

    def steps(self, count: int) -> None:
        for _ in range(count):
            x = torch.randn(4, 6) + random.random() + float(np.random.rand())
            self.optimizer.zero_grad()
            self.model(x).square().mean().backward()
            self.optimizer.step()
            self.scheduler.step()

    def everything(self) -> Any:
        state = self.optimizer.state_dict()["state"]
        return [dict(self.model.state_dict()), state, self.scheduler.state_dict()]


@every_suffix
def test_a_training_goes_on_where_it_was(tmp_path: Path, suffix: str):
    random.seed(1)
    np.random.seed(2)
    training = Training()
    training.steps(5)
    path = adamas.save(tmp_path / f"run{suffix}", *training.parts(), extra={"epoch": (1, 2.5, None)}, step=5)
    training.steps(5)
    resumed = Training(seed=9)
    found = adamas.load(path, *resumed.parts())
    assert (found.step, found.extra) == (5, {"epoch": (1, 2.5, None)})
    resumed.steps(5)
    assert_same_bits(resumed.everything(), training.everything())


def leaves() -> st.SearchStrategy[Any]:
    numbers = st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | st.booleans() | st.none()
    return numbers | st.text(max_size=5)


def trees() -> st.SearchStrategy[Any]:
    keys = st.integers(-3, 3) | st.text(max_size=3) | st.tuples(st.integers(0, 3), st.text(max_size=2))
    return st.recursive(
        leaves(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(keys, inner, max_size=3)
            | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
            | st.dictionaries(keys, st.integers(0, 9), max_size=3).map(Counter)
        ),
        max_leaves=12,
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tree=trees(), suffix=st.sampled_from(SUFFIXES))
def test_trees_come_back_with_their_types(tree: Any, suffix: str, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("tree") / "tree"
    with path.open("w+b") as file:
        FILES[suffix].write(file, plain({"tree": tree}, ""))
    back = FILES[suffix].read(path)["tree"]
    assert repr(back) == repr(tree)  # 1, 1.0 and True are equal; their names are not


@every_suffix
def test_tensors_come_back_to_the_bit(tmp_path: Path, suffix: str):
    generator = torch.Generator().manual_seed(0)
    made = [torch.randint(0, 2, (3, 5), generator=generator).to(dtype) for dtype in DTYPES]
    made += [torch.tensor(7.5), torch.empty(0, 3), torch.randn(4, 6).t(), torch.randn(9)[::2], torch.randn(2, 3)[1:]]
    made += [torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]), torch.randn(3, dtype=torch.complex64).conj()]
    tied = torch.ones(3)
    path = adamas.save(tmp_path / f"t{suffix}", extra={"made": made, "tied": [tied, tied]})
    back = adamas.load(path).extra
    for x, y in zip(back["made"], made, strict=True):
        if x.element_size() == 1 and x.is_floating_point():
            x, y = x.float(), y.float()
        assert_same_bits(x, y)
    assert back["tied"][0].data_ptr() == back["tied"][1].data_ptr()
    back["made"][0].add_(1)  # and may be written to
    assert_same_bits(adamas.load(path).extra["made"][0], made[0])


def test_other_readers_open_the_files(tmp_path: Path):
    """The safetensors library and torch.load know nothing of us."""
    safetensors = pytest.importorskip("safetensors.torch")
    training = Training()
    training.steps(1)
    tensors = safetensors.load_file(adamas.save(tmp_path, *training.parts()))
    for name, x in training.model.state_dict().items():
        assert_same_bits(tensors[f"model/state/{name}"], x)
    tree = torch.load(adamas.save(tmp_path / "one.pt", *training.parts()), weights_only=True)
    assert_same_bits(tree["optimizer"]["state"], training.optimizer.state_dict()["state"])


def test_a_view_is_saved_without_the_memory_around_it(tmp_path: Path):
    flat = torch.zeros(1_000_000)
    assert adamas.save(tmp_path / "a.pt", extra={"view": flat[:10]}).stat().st_size < 50_000


@every_suffix
def test_what_would_run_code_is_refused_and_nothing_is_written(tmp_path: Path, suffix: str):
    with pytest.raises(TypeError, match="extra/a/0 is a function: a checkpoint holds"):
        adamas.save(tmp_path / f"x{suffix}", extra={"a": [lambda: 0]})
    assert list(tmp_path.iterdir()) == []


@every_suffix
@settings(max_examples=60, deadline=None, derandomize=True)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), how=st.sampled_from(["flip", "cut", "append"]))
def test_a_changed_file_is_refused(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, how: str
):
    folder = tmp_path_factory.mktemp("damage")
    path = adamas.save(folder / f"step-2{suffix}", extra={"x": torch.arange(64.0), "y": [1, "two"]})
    data = bytearray(path.read_bytes())
    place = int(where * len(data))
    if how == "flip":
        data[place] ^= 1 << bit
    path.write_bytes({"flip": data, "cut": data[:place], "append": data + b"\0"}[how])
    with pytest.raises(DamagedCheckpoint) as caught:
        adamas.load(path)
    assert caught.value.path == path
    assert caught.value.last_good is None


def damage(path: Path, cut: int) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data[: len(data) - cut])


def test_the_error_says_what_is_wrong_and_names_the_last_good_one(tmp_path: Path):
    training = Training()
    paths = []
    for _ in range(3):
        training.steps(1)
        paths.append(adamas.save(tmp_path, *training.parts()))
    assert [path.name for path in paths] == [f"step-{n:010d}.safetensors" for n in range(3)]
    size = paths[2].stat().st_size
    damage(paths[2], cut=5)
    damage(paths[1], cut=0)
    before = copies(training.model.parameters())
    with pytest.raises(DamagedCheckpoint, match=f"truncated: {size - 5} bytes instead of {size}") as caught:
        adamas.load(tmp_path, *training.parts())
    assert caught.value.last_good == paths[0]
    assert f"the last good one is {paths[0]}" in str(caught.value)
    with pytest.raises(DamagedCheckpoint, match="bytes changed after it was written"):
        adamas.load(paths[1], *training.parts())
    assert_same_bits(copies(training.model.parameters()), before)
    assert adamas.load(paths[0], *training.parts()).step == 0


def test_the_last_n_are_kept(tmp_path: Path):
    steps = [10, 20, 30, 40, 5]  # and back: what was saved last is kept in any case
    for step in steps:
        adamas.save(tmp_path, extra={"step": step}, step=step, keep=2)
    assert sorted(int(path.stem[5:]) for path in tmp_path.iterdir()) == [5, 30, 40]
    assert adamas.load(tmp_path).step == 40
    adamas.save(tmp_path, keep=None)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(ValueError, match="keep must be at least 1"):
        adamas.save(tmp_path, keep=0)
    with pytest.raises(ValueError, match="step must not be negative"):
        adamas.save(tmp_path, step=-1)


def test_all_is_checked_before_anything_is_loaded(tmp_path: Path):
    training = Training()
    training.steps(2)
    path = adamas.save(tmp_path / "a.safetensors", *training.parts())
    wide = Training(width=9, seed=4)
    before, stream = wide.everything(), torch.get_rng_state()
    with pytest.raises(ValueError, match=r"(?s)does not fit the model.*0\.weight has shape \(8, 6\)"):
        adamas.load(path, *wide.parts())
    with pytest.raises(ValueError, match=r"(?s)the state dict does not fit.*exp_avg of parameter '0\.weight'"):
        adamas.load(path, None, wide.optimizer)
    assert_same_bits(wide.everything(), before)
    assert torch.equal(torch.get_rng_state(), stream)
    found = adamas.load(path, *wide.parts(), strict=False)
    assert len(found.model.unfit) == 7
    assert len(found.optimizer.unfit) == 5
    assert_same_bits(wide.model[3].bias, training.model[3].bias)


def test_what_was_not_saved_cannot_be_loaded(tmp_path: Path):
    training = Training()
    path = adamas.save(tmp_path / "model.safetensors", training.model)
    with pytest.raises(ValueError, match="without optimizer and scheduler"):
        adamas.load(path, *training.parts())
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        adamas.load(tmp_path / "nowhere")


def test_optimizers_of_torch_are_saved_too(tmp_path: Path):
    params = [torch.nn.Parameter(torch.ones(3))]
    optimizer = torch.optim.Adagrad(params)
    train(optimizer, params, gradients(params, steps=2))
    path = adamas.save(tmp_path / "a.pt", optimizer=optimizer)
    other = torch.optim.Adagrad(params)
    adamas.load(path, optimizer=other)
    assert_same_bits(other.state_dict()["state"], optimizer.state_dict()["state"])


def check_that_a_full_disk_keeps_the_previous_one(folder: Path, suffix: str) -> None:
    training = Training()
    training.steps(1)
    first = adamas.save(folder / f"step-1{suffix}", *training.parts())
    whole = first.read_bytes()
    large = {"large": torch.zeros(1_000_000)}
    with pytest.raises(
        OSError, match=r"the checkpoint .* was not written \(.* MB are free\); the previous one, .* whole"
    ) as caught:
        adamas.save(first, *training.parts(), extra=large)
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert first.read_bytes() == whole
    assert [path.name for path in folder.iterdir()] == [first.name]
    adamas.load(first, *training.parts())


@every_suffix
def test_a_full_disk(tmp_path: Path, suffix: str):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk; the test with a quota says the same")
    try:
        check_that_a_full_disk_keeps_the_previous_one(tmp_path, suffix)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limits of this kind")
@every_suffix
def test_a_quota(tmp_path: Path, suffix: str):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        check_that_a_full_disk_keeps_the_previous_one(tmp_path, suffix)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
