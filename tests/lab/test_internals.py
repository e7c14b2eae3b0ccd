"""What is said of an optimizer's inside, where it can be known otherwise."""

import pytest
import torch
from torch import nn

from adamas.lab.compare import spec
from adamas.lab.internals import Recorder, weights
from adamas.lab.train import train

TINY = "lab_workloads:Tiny"


def series(optimizer, **changed):
    return {each.name: each for each in train(spec(TINY, optimizer, seed=0, changed=changed)).internals}


def test_plain_sgd_moves_at_its_learning_rate_and_has_no_second_moment():
    for internal in series("sgd", lr=0.05).values():
        assert internal.steps == (4, 8, 12)
        assert internal.effective_lr == pytest.approx([0.05] * 3, rel=1e-2)  # weights round what is added to them
        assert internal.under_eps == (None, None, None)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "rmsprop", "torch.optim:RMSprop"])
def test_a_huge_eps_decides_every_step_and_a_tiny_one_none(optimizer):
    assert all(set(each.under_eps) == {1.0} for each in series(optimizer, eps=1e3).values())
    # The corners of the images are blank in every digit: their weights never have a gradient.
    shares = series(optimizer, eps=1e-30)
    assert set(shares["1.bias"].under_eps) == {0.0}
    assert all(share is not None and 0 < share < 0.3 for share in shares["1.weight"].under_eps)


def test_the_second_moment_is_corrected_for_its_bias():
    """After one step v is (1 - beta2) g^2; corrected, its root is |g| = 2, at 10 eps = 1."""
    model, recorder = nn.Linear(3, 1, bias=False), Recorder()
    optimizer, before = torch.optim.Adam(model.parameters(), lr=0.1, eps=0.1), weights(model)
    (2 * model.weight.sum()).backward()
    optimizer.step()
    recorder.measure(1, model, optimizer, before)
    [internal] = recorder.internals
    assert internal.under_eps == (0.0,)
    size = before["weight"].norm().item()
    assert internal.update_ratio[0] == pytest.approx(0.1 / 1.05 * 2 / 2 * 3**0.5 / size, rel=0.06)


def test_tensors_that_are_frozen_or_not_given_to_the_optimizer_are_left_out():
    frozen, head = nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1)
    model = nn.Sequential(frozen, head)
    optimizer, recorder = torch.optim.SGD([head.weight], lr=0.1), Recorder()
    before = weights(model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    recorder.measure(1, model, optimizer, before)
    assert [each.name for each in recorder.internals] == ["1.weight"]
