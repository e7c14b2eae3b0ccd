"""The oracles themselves, against torch's float64 for-loop: two independent writings of the same formula."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from . import ORACLES, Variant, lion, sgd

STEPS = 60
SIZE = 40

# Each step rounds a handful of operations, each by at most 2^-53, relative to the weights and moments it
# works on; the two writings order them differently. Over 60 steps that is at most some hundred roundings,
# about 1e-14 each way; the centered variance loses up to two digits more, because it subtracts numbers of
# similar size.
RELATIVE = 1e-12

IN_TORCH = {key: variant for key, variant in ORACLES.items() if key[0] != "Lion"}


@pytest.fixture(autouse=True)
def _float64_scalars() -> Iterator[None]:
    # NAdam's mu_product has torch's default dtype, and with it the accuracy of the whole run.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def problem(seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights of size 1, and gradients of one to a thousandth of it, with a weight that gets none."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 0, SIZE)
    grads = [scale * rng.standard_normal(SIZE) for _ in range(STEPS)]
    for g in grads:
        g[0] = 0.0
    return rng.standard_normal(SIZE), grads


def torch_run(name: str, hyper: dict, theta0: np.ndarray, grads: list[np.ndarray]):
    p = torch.tensor(theta0)
    optimizer = getattr(torch.optim, name)([p], foreach=False, **hyper)
    thetas = [p.numpy().copy()]
    for g in grads:
        p.grad = torch.tensor(g)
        optimizer.step()
        thetas.append(p.numpy().copy())
    return thetas, optimizer.state[p]


@pytest.mark.parametrize("lr", [None, 0.03], ids=["default_lr", "lr=0.03"])
@pytest.mark.parametrize(("key", "variant"), IN_TORCH.items(), ids=["-".join(key) for key in IN_TORCH])
def test_oracle_is_torch(key: tuple[str, str], variant: Variant, lr: float | None):
    hyper = {**variant.hyper, **({} if lr is None else {"lr": lr})}
    theta0, grads = problem()
    ours = variant(theta0, grads, **hyper)
    thetas, state = torch_run(key[0], hyper, theta0, grads)
    assert len(ours.thetas) == STEPS + 1
    np.testing.assert_allclose(np.stack(ours.thetas), np.stack(thetas), rtol=RELATIVE, atol=RELATIVE)
    assert ours.state.keys() == {key for key, value in state.items() if value is not None}
    for slot, value in ours.state.items():
        largest = float(np.max(np.abs(value)))
        np.testing.assert_allclose(value, state[slot].numpy(), rtol=RELATIVE, atol=RELATIVE * largest, err_msg=slot)


def test_every_optimizer_has_a_plain_variant():
    assert {name for name, variant in ORACLES if variant == "plain"} == {name for name, _ in ORACLES}


def test_oracle_leaves_its_inputs_alone():
    for variant in ORACLES.values():
        theta0, grads = problem()
        variant(theta0, grads)
        again, grads_again = problem()
        np.testing.assert_array_equal(theta0, again)
        np.testing.assert_array_equal(grads, grads_again)


def test_nesterov_is_sutskevers_equation_seen_from_the_lookahead():
    """Equations 3-4: v = mu v - eps grad(theta + mu v), theta = theta + v."""
    mu, eps = 0.9, 0.1
    curvature = np.array([1.0, 3.0, 0.2])
    theta, v = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    lookahead, grads = [theta.copy()], []
    for _ in range(STEPS):
        grads.append(curvature * (theta + mu * v))
        v = mu * v - eps * grads[-1]
        theta = theta + v
        lookahead.append(theta + mu * v)
    run = sgd.run(lookahead[0], grads, lr=eps, momentum=mu, nesterov=True)
    np.testing.assert_allclose(run.thetas, lookahead, rtol=RELATIVE, atol=RELATIVE)


def test_lion_by_hand():
    """Two steps of Algorithm 2 with beta1 = 1/2, beta2 = 3/4, eta = 1/4, lambda = 1/2: all exact."""
    run = lion.run(
        np.array([1.0, 1.0]),
        [np.array([4.0, 0.0]), np.array([-3.0, 2.0])],
        lr=0.25,
        betas=(0.5, 0.75),
        weight_decay=0.5,
    )
    # c1 = (2, 0), theta1 = 1 - (1/4)(sign(c1) + 1/2) = (5/8, 7/8), m1 = (1, 0)
    np.testing.assert_array_equal(run.thetas[1], [0.625, 0.875])
    # c2 = (1/2 - 3/2, 1) = (-1, 1), theta2 = theta1 - (1/4)((-1, 1) + theta1 / 2), m2 = (3/4 - 3/4, 1/2)
    np.testing.assert_array_equal(run.thetas[2], [0.796875, 0.515625])
    np.testing.assert_array_equal(run.state["exp_avg"], [0.0, 0.5])


def test_lion_with_equal_betas_is_the_sign_of_adams_momentum():
    """With beta1 = beta2 the interpolation is the moving average itself: signSGD with momentum."""
    theta0, grads = problem()
    p, m = torch.tensor(theta0), torch.zeros(SIZE)
    for g in grads:
        m.lerp_(torch.tensor(g), 0.1)
        p -= 0.01 * (m.sign() + 0.1 * p)
    run = lion.run(theta0, grads, lr=0.01, betas=(0.9, 0.9), weight_decay=0.1)
    np.testing.assert_allclose(run.thetas[-1], p.numpy(), rtol=RELATIVE, atol=RELATIVE)
    np.testing.assert_allclose(run.state["exp_avg"], m.numpy(), rtol=RELATIVE, atol=RELATIVE)
