"""``capturable=True``: a recorded step, done again and again without Python, is the reference's training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas
from adamas import capturing
from adamas.engines import hyper as hypers
from adamas.engines.captured import CapturablePlan
from adamas.engines.rows import Rows
from adamas.engines.triton import interpreted
from adamas.rules import CAPTURABLE
from adamas.rules import triton_scalars as printer

from ..core.catalog import CASES, Case, same_bits
from .recording import Recording, recorded

# NumPy, which the interpreter computes with, says so where numbers overflow, or are not used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.skipif(not interpreted(), reason="records what the interpreter does; test_gpu captures graphs"),
]

SHAPES = ((3, 150), (70,), (), (0, 2))
CAPTURED = [case for case in CASES if case.rule in {rule.__name__ for rule in CAPTURABLE}]
BEFORE, AFTER = 2, 4  # steps before the one that is recorded, and replays of it
FORMATS = {
    "float32": (torch.float32, {}),
    "bfloat16": (torch.bfloat16, {}),
    "int8": (torch.bfloat16, {"state_format": "int8", "rounding": "split24"}),
}


class Training:
    """Weights of a few shapes, and gradients that stay where they are."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(0)
        self.params: list[torch.Tensor] = [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in SHAPES]

    def new_gradients(self) -> None:
        for p in self.params:
            p.grad = torch.zeros_like(p)

    def gradients(self) -> list[torch.Tensor]:
        return [p.grad for p in self.params if p.grad is not None]

    def fill(self, step: int) -> None:
        torch.manual_seed(step + 1)
        for grad in self.gradients():
            grad.copy_(torch.randn(grad.shape))

    def break_gradient(self) -> None:
        self.gradients()[0][0, 0] = float("inf")


def assert_same(a: Training, b: Training, one: adamas.Optimizer, other: adamas.Optimizer) -> None:
    for p, q in zip(a.params, b.params, strict=True):
        assert same_bits(p.detach(), q.detach())
        assert one.state[p].keys() == other.state[q].keys()
        assert all(same_bits(one.state[p][key], other.state[q][key]) for key in one.state[p])


def replayed(training: Training, optimizer: adamas.Optimizer, step: Any, vary: Any = lambda i: None) -> Recording:
    """Train: steps of Python, one that is recorded with gradients elsewhere, replays of it."""
    recording = None
    for i in range(BEFORE + 1 + AFTER):
        if i in (0, BEFORE):
            training.new_gradients()
        training.fill(i)
        vary(i)
        if i < BEFORE:
            step()
        elif i == BEFORE:
            with recorded() as recording:
                step()
        else:
            assert recording is not None
            recording.replay()
    assert recording is not None
    return recording


def plain(training: Training, step: Any, vary: Any = lambda i: None) -> None:
    training.new_gradients()
    for i in range(BEFORE + 1 + AFTER):
        training.fill(i)
        vary(i)
        step()


def test_printed_file_is_current() -> None:
    assert printer.main(["--check"]) == 0
    assert all(printer.hyper_names(rule)[0] == "lr" for rule in CAPTURABLE)  # where the kernel looks for it


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("case", CAPTURED, ids=[f"{case.rule}-{case.optimizer}" for case in CAPTURED])
def test_replays_are_the_references_steps(case: Case, kind: str) -> None:
    """With lr in a tensor that is changed between replays."""
    dtype, more = FORMATS[kind]
    one, other = Training(dtype), Training(dtype)
    lr = torch.tensor(0.01)
    optimizer = case.make(one.params, lr=lr, capturable=True, engine="triton", **more)
    reference = case.make(other.params, engine="reference", **more)

    def slower(i: int) -> None:
        optimizer.param_groups[0]["lr"].fill_(0.01 / (i + 1))
        reference.param_groups[0]["lr"] = torch.tensor(0.01 / (i + 1)).item()

    replayed(one, optimizer, optimizer.step, slower)
    plain(other, reference.step, slower)
    assert_same(one, other, optimizer, reference)


@pytest.mark.parametrize("rule", CAPTURABLE, ids=lambda rule: rule.__name__)
def test_numbers_are_the_hosts(rule: Any) -> None:
    """Whatever the step: to an ulp of float32, as a power is exp(b log(a)) there."""
    from adamas.engines.captured import CapturedBatch

    name = {"AMSGrad": "Adam", "InsideAdam": "Adam", "Atan2Adam": "Adam", "NesterovAdam": "Adam"}.get(rule.__name__)
    name = name or ("RMSprop" if rule.__name__.startswith("RMSprop") else rule.__name__)
    params = [torch.nn.Parameter(torch.zeros(1)) for _ in range(12)]
    for p in params:
        p.grad = torch.zeros(1)
    optimizer = getattr(adamas, name)(params, lr=0.003, weight_decay=0.1, capturable=True, engine="triton")
    optimizer.rule = lambda group: rule
    optimizer.param_groups[0]["decay_mode"] = "decoupled"
    optimizer.step()
    (batch,) = optimizer._plan._captured
    assert isinstance(batch, CapturedBatch)
    steps = [0, 1, 2, 3, 4, 9, 99, 999, 4095, 65535, 1_000_000, 15_000_000]
    products = torch.linspace(0.001, 1, len(steps))
    for p, t, product in zip(params, steps, products, strict=True):
        optimizer.state[p]["step"].fill_(t)
        if "mu_product" in optimizer.state[p]:
            optimizer.state[p]["mu_product"].copy_(product)
    optimizer.step()
    h = hypers.surround(hypers.hyperparameters(optimizer.param_groups[0]), rule)
    others = {counter.name: torch.float32 for counter in rule.counters if counter.name != "step"}
    for place, t in enumerate(steps):
        rows = Rows(rule, others, 1.0)
        rows.place(h, (t + 1.0, *(products[place].item() for _ in others)))
        made = batch._numbers[place * batch._width : (place + 1) * batch._width]
        torch.testing.assert_close(made, torch.tensor(rows.numbers, dtype=torch.float32), rtol=1.2e-7, atol=0)


@pytest.mark.parametrize("mode", ["l2", "decoupled", "independent", "scheduled"])
def test_decay_of_several_groups(mode: str) -> None:
    results = []
    for more in ({"capturable": True, "engine": "triton"}, {"engine": "reference"}):
        training = Training()
        groups: list[dict[str, Any]] = [
            {"params": training.params[:1], "lr": torch.tensor(0.125), "max_lr": 0.5},
            {"params": training.params[1:], "maximize": True, "betas": (0.5, 0.75)},
        ]
        optimizer = adamas.AdamW(groups, lr=0.25, weight_decay=0.3, decay_mode=mode, **more)
        if "capturable" in more:
            replayed(training, optimizer, optimizer.step)
        else:
            plain(training, optimizer.step)
        results.append((training, optimizer))
    (one, optimizer), (other, reference) = results
    assert_same(one, other, optimizer, reference)


def test_nothing_changes_from_step_to_step() -> None:
    training = Training(torch.bfloat16)
    optimizer = adamas.NAdam(training.params, lr=0.1, capturable=True, clip_norm=1.0, nonfinite="skip", engine="triton")
    training.new_gradients()
    kept = []
    for i in range(4):
        training.fill(i)
        with pytest.MonkeyPatch.context() if i == 0 else recorded() as recording:
            optimizer.step()
        kept.append(recording)
    assert kept[1].signature() == kept[2].signature() == kept[3].signature()
    kernels = [name for name, *_ in kept[1].signature() if not name.startswith("aten")]
    assert len(kernels) == 4  # sums of squares, decision, counters, step: for however many tensors
    changing = {name for name, *_ in kept[1].signature() if name.startswith("aten")}
    views = {"aten.detach.default", "aten.alias.default", "aten.split_with_sizes.default"}
    assert changing - views <= {"aten.zero_.default", "aten._foreach_add_.ScalarList", "aten.fill_.Scalar"}


def test_replays_and_steps_in_turns() -> None:
    """A step between replays, with other numbers at other places, leaves a recording as it is."""
    one, other = Training(), Training()
    optimizer = adamas.AdamW(one.params, lr=0.01, capturable=True, engine="triton", clip_norm=5.0)
    reference = adamas.AdamW(other.params, lr=0.01, engine="reference", clip_norm=5.0)
    recording = replayed(one, optimizer, optimizer.step)
    plain(other, reference.step)
    kept = one.gradients()
    one.new_gradients()
    for training, each in ((one, optimizer), (other, reference)):
        training.fill(20)
        each.param_groups[0]["lr"], each.guards.clip_norm = 0.5, None
        each.step()
        each.param_groups[0]["lr"], each.guards.clip_norm = 0.01, 5.0
        training.fill(21)
    for old, new in zip(kept, one.gradients(), strict=True):
        old.copy_(new)
    recording.replay()
    reference.step()
    assert_same(one, other, optimizer, reference)


@pytest.mark.parametrize("clip_norm", [None, 3.0, 1000.0])
@pytest.mark.parametrize("nonfinite", ["propagate", "skip"])
def test_guards(nonfinite: str, clip_norm: float | None) -> None:
    one, other = Training(), Training()
    more = {"nonfinite": nonfinite, "clip_norm": clip_norm}
    optimizer = adamas.AdamW(one.params, capturable=True, engine="triton", **more)
    reference = adamas.AdamW(other.params, engine="reference", **more)
    replayed(one, optimizer, optimizer.step, lambda i: one.break_gradient() if i in (1, 2, 4) else None)
    plain(other, reference.step, lambda i: other.break_gradient() if i in (1, 2, 4) else None)
    assert_same(one, other, optimizer, reference)
    assert optimizer.skipped == reference.skipped == (3 if nonfinite == "skip" else 0)
    assert int(optimizer.state[one.params[0]]["step"]) == (4 if nonfinite == "skip" else 7)
    mine, its = optimizer.last_step, reference.last_step
    assert mine is not None
    assert its is not None
    assert (mine.skipped, mine.clip_factor) == (its.skipped, its.clip_factor)
    assert mine.norm == (None if its.norm is None else pytest.approx(its.norm, rel=1e-15))
    assert mine.norms == its.norms


def test_gradient_scaler() -> None:
    """Whose scale and whether it found an infinity stay on the device, too."""
    results = []
    for more in ({"capturable": True, "engine": "triton"}, {"engine": "reference"}):
        training = Training()
        optimizer = adamas.AdamW(training.params, clip_norm=0.5, **more)
        amp = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=2)
        amp.scale(torch.ones(()))

        def step(amp: Any = amp, optimizer: Any = optimizer) -> None:
            amp.step(optimizer)
            amp.update()

        def vary(i: int, training: Training = training) -> None:
            if i in (1, 4):
                training.break_gradient()

        if "capturable" in more:
            replayed(training, optimizer, step, vary)
        else:
            plain(training, step, vary)
        results.append((training, optimizer, amp))
    (one, optimizer, amp), (other, reference, its) = results
    assert_same(one, other, optimizer, reference)
    assert optimizer.skipped == reference.skipped == 2
    assert amp.get_scale() == its.get_scale()


def test_state_is_where_the_parameter_is_and_goes_on_without() -> None:
    """A checkpoint of either kind is one of the other; toggling the key moves the counters."""
    training, twin = Training(), Training()
    optimizer = adamas.NAdam(training.params, lr=0.01, capturable=True, engine="triton")
    reference = adamas.NAdam(twin.params, lr=0.01, engine="reference")
    for each in (training, twin):
        each.new_gradients()
    for i, capturable in enumerate((True, False, True, True)):
        optimizer.param_groups[0]["capturable"] = capturable
        training.fill(i)
        twin.fill(i)
        if i == 3:
            state = optimizer.state_dict()
            optimizer = adamas.NAdam(training.params, engine="triton")
            optimizer.load_state_dict(state)
            assert optimizer.param_groups[0]["capturable"]
        optimizer.step()
        reference.step()
        assert isinstance(optimizer._plan, CapturablePlan) == capturable
    assert_same(training, twin, optimizer, reference)
    for p in training.params:
        assert optimizer.state[p]["step"].device == p.device
        assert optimizer.state[p]["step"].dtype == torch.float32


def test_what_a_capture_finds_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training()
    optimizer = adamas.AdamW(training.params, capturable=True, engine="triton")
    training.new_gradients()
    with monkeypatch.context() as patch:
        patch.setattr(capturing, "is_capturing", lambda: True)
        with pytest.raises(RuntimeError, match=r"Take a step like it \(a warm-up\) before the capture"):
            optimizer.step()
        assert not optimizer.state
    optimizer.step()
    training.params[0].grad = None
    before = [p.detach().clone() for p in training.params]
    monkeypatch.setattr(capturing, "is_capturing", lambda: True)
    monkeypatch.setattr(capturing, "HAS_CUDA", True)
    with pytest.raises(RuntimeError, match="not like the one before it"):
        optimizer.step()
    assert all(map(same_bits, before, (p.detach() for p in training.params)))
    plainly = adamas.AdamW(training.params)
    with pytest.raises(RuntimeError, match=r"CUDA graph capture.*AdamW but param_groups' capturable is False; set it"):
        plainly.step()
    with pytest.raises(RuntimeError, match="SGD has no such option: leave step"):
        adamas.SGD(training.params).step()


def test_without_gradients_nothing_is_launched() -> None:
    training = Training()
    optimizer = adamas.AdamW(training.params, capturable=True, engine="triton", clip_norm=1.0)
    with recorded() as recording, pytest.MonkeyPatch.context() as patch:
        patch.setattr(capturing, "is_capturing", lambda: False)
        optimizer.step()
    assert not [name for name, *_ in recording.signature() if not name.startswith("aten")]
    assert (optimizer.skipped, optimizer.state) == (0, {})


def test_a_captured_plan_is_held() -> None:
    """A graph reads the tables of its plan, also after the optimizer has made another one."""
    training = Training()
    optimizer = adamas.AdamW(training.params, capturable=True, engine="triton")
    replayed(training, optimizer, optimizer.step)
    held = optimizer._plan
    training.params[0].grad = None
    optimizer.step()
    assert optimizer._plan is not held
    assert optimizer._held == [held]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nonfinite": "raise"}, "nonfinite='skip'"),
        ({"nonfinite": "skip", "max_skips": 3}, "max_skips=None"),
        ({"clip_update": 1.0}, "use clip_norm"),
        ({"cautious": True}, "cautious=True scales"),
        ({"engine": "reference"}, "engine='reference' keeps the step on the host"),
        ({"differentiable": True}, "records the step"),
        ({"lr": torch.zeros((), device="meta")}, "capturable=True needs lr on cpu"),
        ({"eps_mode": "atan2", "nesterov": True}, "NesterovAtan2Adam, whose numbers are made on the host"),
    ],
    ids=str,
)
def test_refusals(settings: dict[str, Any], words: str) -> None:
    training = Training()
    lr = settings.pop("lr", 0.1) if "lr" in settings else 0.1
    optimizer = adamas.AdamW(training.params, **{"capturable": True, "engine": "triton", **settings})
    optimizer.param_groups[0]["lr"] = lr
    training.new_gradients()
    with pytest.raises(RuntimeError, match="capturable=True") as raised:
        optimizer.step()
    assert words in str(raised.value)


def test_refusals_of_what_there_is_to_step(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training()
    training.new_gradients()
    groups = [{"params": training.params[:1]}, {"params": training.params[1:], "capturable": False}]
    with pytest.raises(RuntimeError, match="all groups need it"):
        adamas.AdamW(groups, capturable=True, engine="triton").step()
    doctored = adamas.AdamW(training.params, capturable=True, engine="triton")
    doctored.diagnose_every = 2
    with pytest.raises(RuntimeError, match="the doctor's looks"):
        doctored.step()
    wide = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    wide.grad = torch.zeros_like(wide)
    with pytest.raises(RuntimeError, match=r"which cannot step parameter 'w'.*float64"):
        adamas.AdamW([("w", wide)], capturable=True).step()
    words = torch.nn.Embedding(4, 3, sparse=True)
    words(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="has a sparse gradient"):
        adamas.AdamW(words.parameters(), capturable=True).step()
    gappy = torch.nn.Parameter(torch.zeros(3, 2))
    gappy.grad = torch.zeros(3, 2, 2)[..., 0]
    with pytest.raises(RuntimeError, match="without gaps"):
        adamas.AdamW([gappy], capturable=True, clip_norm=1.0).step()
    with pytest.raises(ValueError, match="capturable"):
        adamas.AdamW(torch.nn.Linear(2, 2).parameters(), capturable=True).release(torch.nn.Linear(2, 2))
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(RuntimeError, match="it is on cpu"):
        adamas.AdamW(training.params, capturable=True).step()
