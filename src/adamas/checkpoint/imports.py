"""State dicts of other libraries' 8-bit optimizers, as torch.optim would have saved them: moments in float32.

bitsandbytes keeps codes of a dynamic map of 256 values and the largest magnitude of every 256 elements (Dettmers et
al. 2022, arXiv 2110.02861); torchao keeps the same in tensors of its own class. FlashOptim keeps codes with a formula
and a float16 scale for every 32 elements in storage order, whatever the rows. All are multiplied out here, to the bits
that the libraries themselves read before a step.
"""

from __future__ import annotations

from typing import Any

import torch

WRAPPED = "__bnb_optimizer_quant_state__"
"""Where bitsandbytes hides its codes and magnitudes from FSDP, which would cut them into shards."""

FLASHED = "::quantized"
"""What FlashOptim appends to the name of a moment for its codes."""

_BLOCK, _FLASH_BLOCK = 256, 32
_SLOTS = {"state1": "exp_avg", "state2": "exp_avg_sq"}
_HYPER = ("params", "param_names", "lr", "betas", "eps", "weight_decay", "amsgrad", "initial_lr", "name")


def from_bitsandbytes(state_dict: dict[str, Any]) -> dict[str, Any]:
    """Return the state dict of a bitsandbytes Adam or AdamW (8 or 32 bits) for ``adamas.AdamW.load_state_dict``.

    bitsandbytes decays decoupled in all of its Adams, so ``adamas.AdamW`` is the class that goes on as it did.

    Args:
        state_dict: what ``bitsandbytes.optim.AdamW8bit(...).state_dict()`` returned; it is left as it is.

    Raises:
        ValueError: if a state has no two moments of Adam.

    Example:
        >>> codes = torch.tensor([0, 1, 1], dtype=torch.uint8)
        >>> quantised = {"qmap1": torch.tensor([0.0, 0.5]), "absmax1": torch.tensor([4.0])}
        >>> saved = {"step": 3, "state1": codes, "state2": torch.ones(3), WRAPPED: quantised}
        >>> groups = [{"params": [0], "lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}]
        >>> from_bitsandbytes({"state": {0: saved}, "param_groups": groups})["state"][0]["exp_avg"]
        tensor([0., 2., 2.])
    """
    return _converted(state_dict, _bitsandbytes_state)


def from_torchao(state_dict: dict[str, Any]) -> dict[str, Any]:
    """Return the state dict of a torchao Adam or AdamW (8-bit, 4-bit, fp8) for ``adamas.AdamW.load_state_dict``.

    To read its file, torchao must be imported: ``torch.load(path, weights_only=True)`` needs its classes.

    Args:
        state_dict: what ``torchao.optim.AdamW8bit(...).state_dict()`` returned; it is left as it is.
    """
    return _converted(state_dict, _torchao_state)


def from_flashoptim(state_dict: dict[str, Any]) -> dict[str, Any]:
    """Return the state dict of a FlashOptim Adam or AdamW for ``adamas.Adam`` or ``adamas.AdamW.load_state_dict``.

    With q the codes and s the scale of their block of 32:

        m = s y / (2 - |y|),  y = q / 127        v = (s q / 255)^2

    Its FlashAdamW decays by lr wd, as ``adamas.AdamW`` does; with ``decouple_lr=True``, which its state dict does not
    tell, by wd lr / initial_lr: that is ``decay_mode="independent"``. The bits that it keeps below 16-bit weights
    (``error_bits``) are of another form than ``split24``; they are left out. Its ``get_fp32_model_state_dict(model)``
    has the float32 weights, and ``adamas.Optimizer.load_full_precision_state_dict`` takes them.

    Args:
        state_dict: what ``flashoptim.FlashAdamW(...).state_dict()`` returned, compressed or not; it is left as it is.

    Raises:
        ValueError: if a state has no two moments of Adam, or codes without their scales.

    Example:
        >>> m = {"exp_avg::quantized": torch.tensor([127, -127], dtype=torch.int8),
        ...      "exp_avg::scales": torch.tensor([0.5], dtype=torch.float16)}
        >>> groups = [{"params": [0], "lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}]
        >>> saved = {"step": 3, **m, "exp_avg_sq": torch.ones(2)}
        >>> from_flashoptim({"state": {0: saved}, "param_groups": groups})["state"][0]["exp_avg"]
        tensor([ 0.5000, -0.5000])
    """
    return _converted(state_dict, _flashoptim_state)


def _converted(state_dict: dict[str, Any], convert: Any) -> dict[str, Any]:
    return {
        "state": {key: convert(key, state) for key, state in state_dict["state"].items()},
        "param_groups": [
            {key: _plain(value) for key, value in group.items() if key in _HYPER}
            for group in state_dict["param_groups"]
        ],
    }


def _plain(value: Any) -> Any:
    """Return a number as one: torchao keeps lr in a tensor, for torch.compile."""
    return value.item() if isinstance(value, torch.Tensor) else value


def _bitsandbytes_state(key: Any, state: dict[str, Any]) -> dict[str, Any]:
    state = {**state, **state.get(WRAPPED, {})}
    missing = [name for name in _SLOTS if name not in state]
    if missing:
        raise ValueError(
            f"the state of parameter {key} has no {' and no '.join(missing)}, only {', '.join(map(str, state))}: "
            f"it is not of an Adam of bitsandbytes"
        )
    moments = {
        slot: _expanded(state[name], state.get(f"qmap{name[-1]}"), state.get(f"absmax{name[-1]}"))
        for name, slot in _SLOTS.items()
    }
    return {"step": state["step"], **moments}


def _expanded(stored: torch.Tensor, qmap: torch.Tensor | None, absmax: torch.Tensor | None) -> torch.Tensor:
    """Return the numbers that codes and the largest magnitudes of their blocks stand for."""
    if stored.dtype != torch.uint8:  # tensors of less than 4096 elements are kept in float32
        return stored
    if qmap is None or absmax is None:
        raise ValueError("the state has codes of 8 bits, but no map (qmap) or no magnitudes (absmax) for them")
    values = qmap[stored.flatten().long()]
    return (values * absmax.repeat_interleave(_BLOCK)[: values.numel()]).view(stored.shape)


def _torchao_state(key: Any, state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.dequantize().to(torch.float32) if hasattr(value, "codes") else value
        for name, value in state.items()
    }


def _flashoptim_state(key: Any, state: dict[str, Any]) -> dict[str, Any]:
    moments = {}
    for slot in _SLOTS.values():
        codes, scales = state.get(slot + FLASHED), state.get(f"{slot}::scales")
        if codes is not None and scales is not None:
            moments[slot] = _unflashed(codes, scales)
        elif codes is None and slot in state:
            moments[slot] = state[slot].float()
        else:
            raise ValueError(
                f"the state of parameter {key} has no {slot}, neither as numbers nor as codes with their scales, only "
                f"{', '.join(map(str, state))}: it is not of an Adam of FlashOptim"
            )
    return {"step": state["step"], **moments}


def _unflashed(codes: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Return the numbers that codes and the scales of their blocks stand for: those with signs m, the others v."""
    if scales.dtype == torch.bfloat16:  # the bits of float16: a disguise, for the sake of torch's casts
        scales = scales.view(torch.float16)
    signed = codes.dtype == torch.int8
    y = codes.flatten().float() / (127 if signed else 255)
    scale = scales.float().repeat_interleave(_FLASH_BLOCK)[: y.numel()]
    read = y / (2 - y.abs()) * scale if signed else (y * scale).square()
    return read.view(codes.shape)
