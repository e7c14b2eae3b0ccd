"""8-bit checkpoints of bitsandbytes, torchao and FlashOptim, made by the libraries themselves, read as they read them.

Where FlashOptim or Triton is missing, what stands in is a transcription of its code map.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import adamas
from adamas.checkpoint import from_bitsandbytes, from_flashoptim, from_torchao

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


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("flashoptim", "triton"))), reason="needs flashoptim and triton"
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flashoptim_itself(dtype, tmp_path):
    """In a process of its own: Triton has to be told before its import that it is to run without a GPU."""
    words = ("-m", "tests.checkpoint.flashing", str(dtype).rpartition(".")[2], str(tmp_path / "flash.pt"))
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONWARNINGS": "ignore"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, *words], check=True, env=environment, cwd=root)
    made = torch.load(tmp_path / "flash.pt", weights_only=True)
    imported = from_flashoptim(made["saved"])
    params = [torch.nn.Parameter(torch.zeros(read["exp_avg"].shape, dtype=dtype)) for read in made["read"]]
    optimizer = loaded(imported, params)
    for i, read in enumerate(made["read"]):
        for slot, expected in read.items():
            assert expected.any()
            assert_same_bits(imported["state"][i][slot], expected, f"{slot} of {i}")
            assert_same_bits(optimizer.state[params[i]][slot], expected, f"{slot} of {i}, loaded")
    with pytest.raises(ValueError, match=r"adamas\.checkpoint\.from_flashoptim"):
        optimizer.load_state_dict(made["saved"])


def flashed(x: torch.Tensor, signed: bool, slot: str, disguised: bool) -> dict[str, torch.Tensor]:
    """Codes and scales of FlashOptim, transcribed element by element from its kernel."""
    flat, scales, codes = (x if signed else x.sqrt()).flatten().tolist(), [], []
    for start in range(0, len(flat), 32):
        block = flat[start : start + 32]
        scales.append(max(1e-12, *(abs(each) for each in block)))
        for each in block:
            y = each / scales[-1]
            codes.append(int(127 * 2 * y / (1 + abs(y)) + 128.5) - 128 if signed else int(255 * y + 0.5))
    scale = torch.tensor(scales, dtype=torch.float16)
    code = torch.tensor(codes, dtype=torch.int8 if signed else torch.uint8).view(x.shape)
    return {f"{slot}::quantized": code, f"{slot}::scales": scale.view(torch.bfloat16) if disguised else scale}


@pytest.mark.parametrize("disguised", [False, True])
def test_flashoptim_transcribed(disguised):
    generator = torch.Generator().manual_seed(5)
    groups = [{"params": [0, 1], "lr": 0.125, "betas": (0.5, 0.75), "eps": 1e-8, "weight_decay": 0.5, "quantize": True}]
    state, exact = {}, []
    for i, shape in enumerate([(5, 13), (40,)]):
        m = torch.randn(shape, generator=generator)
        v = torch.rand(shape, generator=generator) + 0.1
        exact.append({"exp_avg": m, "exp_avg_sq": v})
        codes = flashed(m, True, "exp_avg", disguised) | flashed(v, False, "exp_avg_sq", disguised)
        state[i] = {"step": torch.tensor(3), **codes, "error_bits": torch.zeros(shape)}
    imported = from_flashoptim({"state": state, "param_groups": groups})
    for i, moments in enumerate(exact):
        assert set(imported["state"][i]) == {"step", "exp_avg", "exp_avg_sq"}
        for slot, x in moments.items():
            # Half a code of the largest of 3 sigma and more, where the code map is flattest, and float16's grain.
            assert (imported["state"][i][slot] - x).abs().max() < x.abs().max() * (1 / 127 + 2**-10)
    loaded(imported, [torch.nn.Parameter(torch.zeros(shape)) for shape in [(5, 13), (40,)]])


def test_flashoptim_uncompressed_is_taken_as_it_is():
    moment = torch.tensor([0.5, 0.25], dtype=torch.bfloat16)
    groups = [{"params": [0], "lr": 0.1}]
    state = {"step": 3, "exp_avg": moment, "exp_avg_sq": moment}
    converted = from_flashoptim({"state": {0: state}, "param_groups": groups})["state"][0]
    assert_same_bits(converted["exp_avg_sq"], moment.float())
    with pytest.raises(ValueError, match="parameter 0 has no exp_avg_sq"):
        from_flashoptim({"state": {0: {"step": 3, "exp_avg": moment}}, "param_groups": groups})


def test_a_checkpoint_of_something_else_is_refused():
    params = weights()
    with pytest.raises(ValueError, match="no state1 and no state2"):
        from_bitsandbytes(trained(torch.optim.AdamW, params).state_dict())
