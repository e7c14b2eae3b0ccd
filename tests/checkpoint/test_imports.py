"""8-bit checkpoints of bitsandbytes and torchao, made by the libraries themselves, read as they read them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
import torch

import adamas
from adamas.checkpoint import from_bitsandbytes, from_torchao

from ..contract.measure import assert_same_bits
from ..contract.training import gradients, weights

SHAPES = ((96, 50), (17, 256), (30,))  # a short last block, whole blocks, and too small for codes


def trained(cls: Any, params: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
    optimizer = cls(params, lr=0.125, betas=(0.5, 0.75), weight_decay=0.5)
    for grads in gradients(params, steps=3):
        for p, g in zip(params, grads, strict=True):
            p.grad = g
        optimizer.step()
    return optimizer


def import_quietly(name: str) -> Any:
    """Their import may warn of what they are built with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def loaded(saved: dict[str, Any], params: Sequence[torch.Tensor], **more: Any) -> adamas.Optimizer:
    optimizer = adamas.AdamW(params, **more)
    optimizer.load_state_dict(saved)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.125, (0.5, 0.75), 0.5)
    assert all(optimizer.state[p]["step"] == 3 for p in params)
    return optimizer


def test_bitsandbytes():
    bitsandbytes = import_quietly("bitsandbytes")
    params = weights(SHAPES)
    saved = trained(bitsandbytes.optim.AdamW8bit, params).state_dict()
    imported = from_bitsandbytes(saved)
    codes = 0
    for i, p in enumerate(params):
        state = saved["state"][i]
        state = {**state, **state.get("__bnb_optimizer_quant_state__", {})}
        for theirs, slot in (("state1", "exp_avg"), ("state2", "exp_avg_sq")):
            expected = state[theirs]
            if expected.dtype == torch.uint8:
                codes += 1
                expected = bitsandbytes.functional.dequantize_blockwise(
                    expected, absmax=state[f"absmax{theirs[-1]}"], code=state[f"qmap{theirs[-1]}"], blocksize=256
                )
            assert_same_bits(imported["state"][i][slot], expected, f"{slot} of {i}")
            assert expected.shape == p.shape
    assert codes == 4
    optimizer = loaded(imported, params)
    assert_same_bits(optimizer.state[params[0]]["exp_avg"], imported["state"][0]["exp_avg"])
    with pytest.raises(ValueError, match=r"adamas\.checkpoint\.from_bitsandbytes"):
        optimizer.load_state_dict(saved)


def test_torchao():
    torchao = import_quietly("torchao.optim")
    params = weights(SHAPES)
    buffer = io.BytesIO()
    with torch.compiler.set_stance("force_eager"):  # the numbers are all that is wanted, not half a minute's compiling
        torch.save(trained(torchao.AdamW8bit, params).state_dict(), buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)
    imported = from_torchao(saved)
    quantised = 0
    for i, state in saved["state"].items():
        for slot in ("exp_avg", "exp_avg_sq"):
            moment = state[slot]
            if hasattr(moment, "codes"):
                quantised += 1
                # The formula of the paper, as the oracle: map of codes times the scale of the block.
                blocks = moment.qmap[moment.codes.long()].view(len(moment.scale), -1)
                moment = (blocks * moment.scale[:, None]).view(params[i].shape)
            assert_same_bits(imported["state"][i][slot], moment, f"{slot} of {i}")
    assert quantised == 2  # 96 x 50 is no multiple of a block
    optimizer = loaded(imported, params, state_format="bfloat16")
    assert torch.equal(optimizer.state[params[1]]["exp_avg"], imported["state"][1]["exp_avg"].bfloat16())
    with pytest.raises(ValueError, match=r"adamas\.checkpoint\.from_torchao"):
        optimizer.load_state_dict(saved)


def test_a_checkpoint_of_something_else_is_refused():
    params = weights()
    with pytest.raises(ValueError, match="no state1 and no state2"):
        from_bitsandbytes(trained(torch.optim.AdamW, params).state_dict())
