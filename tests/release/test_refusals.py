"""What gradient release cannot do is an error that says why, and names the parameter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import adamas

from .models import backward, batch, twins


def released(**options):
    model, _ = twins()
    optimizer = adamas.AdamW(model.named_parameters(), **options)
    return model, optimizer


@pytest.mark.parametrize(
    ("options", "asked", "message"),
    [
        ({"nonfinite": "skip"}, {}, "nonfinite='skip' and gradient release do not go together: .* have been stepped"),
        ({"nonfinite": "raise"}, {}, "nonfinite='raise'"),
        ({"clip_norm": 1.0}, {}, "clip_norm needs the norm of all gradients, .* stale_clip_norm=True"),
        ({"differentiable": True}, {}, "differentiable=True"),
        ({"clip_update": 1.0}, {"fold": True, "accumulate": 2}, "fold=True and clip_update"),
        ({"betas": (0.0, 0.9)}, {"fold": True, "accumulate": 2}, "fold=True needs beta1 > 0"),
        ({}, {"accumulate": 0}, "accumulate must be an integer of at least 1, got 0"),
    ],
)
def test_settings(options: dict, asked: dict, message: str):
    model, optimizer = released(**options)
    with pytest.raises(ValueError, match=message):
        optimizer.release(model, **asked)
    assert all(not p._post_accumulate_grad_hooks for p in model.parameters())  # type: ignore[attr-defined]


def test_a_rule_that_cannot_fold():
    model, _ = twins()
    with pytest.raises(ValueError, match="fold=True is defined for Adam and AdamW, not for Lion"):
        adamas.Lion(model.parameters()).release(model, accumulate=2, fold=True)


def test_a_parameter_of_another_model():
    model, other = twins()
    with pytest.raises(ValueError, match=r"'scale' \(group 0\) is not a parameter of the model"):
        adamas.AdamW([("scale", other.scale)]).release(model)  # type: ignore[list-item]


def test_twice():
    model, optimizer = released()
    optimizer.release(model)
    with pytest.raises(RuntimeError, match="released already"):
        optimizer.release(model)


def test_two_backward_passes_in_a_step():
    model, optimizer = released()
    optimizer.release(model)
    backward(model, batch(0))
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(RuntimeError, match=r"parameter '.*' \(group 0\) got gradient number 2 in one step, 1 were"):
        backward(model, batch(1))
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


def test_a_parameter_that_takes_no_part():
    model, optimizer = released()
    optimizer.release(model)
    model.body(torch.randn(2, 12)).sum().backward()  # type: ignore[operator]
    with pytest.raises(
        RuntimeError, match=r"other numbers came for .*'scale' \(group 0\) \(0\).*'embed.weight'"
    ) as error:
        optimizer.step()
    assert "body" not in str(error.value)
    backward(model, batch(0))
    optimizer.step()  # the count began anew


def test_too_few_backward_passes():
    model, optimizer = released()
    optimizer.release(model, accumulate=3)
    backward(model, batch(0))
    with pytest.raises(RuntimeError, match=r"3 gradients a step were promised .*'scale' \(group 0\) \(1\)"):
        optimizer.step()


def test_a_graph_of_the_gradient():
    model, optimizer = released()
    optimizer.release(model)
    tokens, _ = batch(0)
    with (
        pytest.warns(UserWarning, match="create_graph"),
        pytest.raises(RuntimeError, match=r"create_graph=True.* gradient of parameter '.*' \(group 0\) is part"),
    ):
        model(tokens).sum().backward(create_graph=True)


def test_a_gradient_scaler():
    model, optimizer = released()
    optimizer.release(model)
    scaler = torch.amp.GradScaler("cpu")
    tokens, _ = batch(0)
    scaler.scale(model(tokens).sum()).backward()  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="a gradient scaler decides after backward whether a step may be taken"):
        scaler.step(optimizer)


def test_a_parameter_that_was_thawed():
    model, optimizer = released()
    optimizer.release(model)
    model.frozen.requires_grad_()  # type: ignore[operator]
    backward(model, batch(0))
    with pytest.raises(RuntimeError, match=r"'frozen' \(group 0\) has a gradient, and was added or unfrozen"):
        optimizer.step()


def test_a_weight_that_backward_still_needs():
    """w is stepped when its own gradient is there; x * w.detach() needs it later, and autograd notices."""
    w = nn.Parameter(torch.ones(3))
    x = nn.Parameter(torch.ones(3))
    optimizer = adamas.SGD([w], lr=1.0)
    optimizer.release(nn.ParameterList([w, x]))
    y = x * w.detach()
    loss = (y.exp() * w).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_ddp_before_and_after():
    model, optimizer = released()
    wrapped = nn.parallel.DistributedDataParallel(model)
    for given in (wrapped, model):
        with pytest.raises(ValueError, match="DistributedDataParallel, which averages gradients over processes after"):
            optimizer.release(given)
    other, second = released()
    second.release(other)
    wrapped = nn.parallel.DistributedDataParallel(other)
    with pytest.raises(RuntimeError, match=r"wrapped in DistributedDataParallel after release\(\)"):
        backward(wrapped, batch(0))
