"""Every engine against the papers, in float64 and float32. For Lion, which torch lacks, this is the reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ..oracles import ORACLES
from .following import WEIGHT_ULPS
from .pairs import every_engine, ours
from .training import STEPS, gradients, train, weights

KEYS = list(ORACLES)


@pytest.fixture(autouse=True)
def _float64_scalars() -> Iterator[None]:
    # NAdam's mu_product has torch's default dtype, and with it the accuracy of the whole run.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# The oracle is as good as exact for float32, whose every step rounds the weight once and the moments twice,
# and in which a constant such as beta2 = 0.999 is wrong by up to half an ulp at each use: an ulp per step
# bounds it all.
PRECISIONS = {
    "float64": (torch.float64, 1e-12),
    "float32": (torch.float32, (WEIGHT_ULPS + STEPS) * torch.finfo(torch.float32).eps),
}


@pytest.mark.parametrize(("dtype", "relative"), PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize(("name", "variant"), KEYS, ids=["-".join(key) for key in KEYS])
@every_engine
def test_engines_follow_the_oracles(name: str, variant: str, engine: str, dtype: torch.dtype, relative: float):
    oracle = ORACLES[name, variant]
    params = weights(dtype=dtype)
    grads = gradients(params)
    optimizer = ours(name, params, engine, **oracle.hyper)
    runs = [oracle(p.detach().numpy(), [gs[i].numpy() for gs in grads]) for i, p in enumerate(params)]
    train(optimizer, params, grads)
    for p, run in zip(params, runs, strict=True):
        largest = np.max(np.abs(run.thetas), axis=0)
        off = np.abs(p.detach().numpy().astype(np.float64) - run.thetas[-1])
        assert np.all(off <= relative * largest), f"weights are off by {np.max(off / largest):.3g}"
        assert optimizer.state[p].keys() == run.state.keys()
        for slot, expected in run.state.items():
            value = optimizer.state[p][slot].numpy().astype(np.float64)
            # A moment may be much smaller than it was, or than the terms that it is the sum of.
            np.testing.assert_allclose(value, expected, rtol=0, atol=relative * np.max(np.abs(expected)))
