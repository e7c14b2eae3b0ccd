"""Steps that a CUDA graph can hold (``capturable=True``): nothing that the host knows changes from step to step.

A captured step is replayed without Python. So all that a replay needs is state on the device (weights, moments,
counters, tensors in the groups, what a gradient scaler has), is made from it by kernels of the same step, or is an
argument of one of its kernels, as addresses of gradients and hyper-parameters that are Python numbers are: these stay
what they were at the capture. Nothing is copied from the host, and nothing that a step before left in a buffer is read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, cast

import torch

from adamas.engines.decision import Asked, Decision
from adamas.engines.hyper import DECAY_MODES, PACED, check_max_lr, decay_mode
from adamas.engines.kinds import RULES
from adamas.engines.launch import Item, as_real
from adamas.engines.norms import is_dense
from adamas.engines.objects import addresses
from adamas.engines.plan import Plan
from adamas.engines.rows import Around
from adamas.engines.triton import TritonLaunch
from adamas.engines.triton_sums import GpuSquares
from adamas.engines.triton_table import Fresh, are_aligned, send
from adamas.rules import CAPTURABLE, Rule

_ITEMS = 128  # tensors whose numbers one program makes
_Groups = list[dict[str, Any]]
is_capturable = methodcaller("get", "capturable")  # whether a group asks for steps that a CUDA graph can capture


def check_capturable(items: Sequence[Item], sparse: Sequence[Item]) -> None:
    """Raise RuntimeError for parameters whose steps the host must take part in."""
    device = items[0].param.device if items else None
    for item in (*sparse, *items):
        why = None
        if item in sparse:
            why = "has a sparse gradient, of other rows in every step"
        elif item.cut is not None:
            why = "is cut over processes"
        elif item.param.device != device:
            why = f"is on {item.param.device}, others are on {device}, and a CUDA graph is of one device"
        elif item.rule not in CAPTURABLE:
            why = f"is stepped by {item.rule.__name__}, whose numbers are made on the host"
        if why is not None:
            raise RuntimeError(f"capturable=True cannot be: {item.name} {why}")


def _on(device: torch.device, key: str, value: Any) -> Any:
    """Return a hyper-parameter, if a replay can read it anew or it is a number.

    Raises:
        RuntimeError: if it is a tensor elsewhere.
    """
    if isinstance(value, torch.Tensor) and value.device != device:
        raise RuntimeError(
            f"capturable=True needs {key} on {device}, it is a tensor on {value.device}, where a replay could not read "
            f"it: move it to {device}, or give a number, which stays what it was at the capture"
        )
    return value


class Written:
    """A row of numbers on a device, each written by an argument of a kernel: a capture keeps it.

    Args:
        count: how many there are.
        dtype: int64 or float64.
        device: where they are.

    Example:
        >>> row = Written(3, torch.float64, torch.device("cpu"))
        >>> row.write([0.5, torch.tensor(0.25), 2.0])
        >>> row.values
        tensor([0.5000, 0.2500, 2.0000], dtype=torch.float64)
    """

    def __init__(self, count: int, dtype: torch.dtype, device: torch.device) -> None:
        self.values = torch.zeros(count, dtype=dtype, device=device)
        self._each = list(self.values.unbind())

    def write(self, values: Sequence[Any]) -> None:
        """Write numbers as they are now; those in tensors of the same device as they will be at every replay."""
        self.values.zero_()
        torch._foreach_add_(self._each, [0 if isinstance(value, torch.Tensor) else value for value in values])
        for each, value in zip(self._each, values, strict=True):
            if isinstance(value, torch.Tensor):
                each.copy_(value.detach().reshape(()))


class CapturedBatch:
    """Items of one rule that one launch steps together; their counters and numbers are made on the device.

    Args:
        launch: steps them.
        items: the parameters, in the order of their groups.
        grads: their gradients now; later ones must have the same strides.

    Attributes:
        items: the parameters.
        squares: sums the squares of their gradients; None where one has gaps.
        gradients: addresses of their gradients in this step.
    """

    def __init__(self, launch: TritonLaunch, items: Sequence[Item], grads: Sequence[torch.Tensor]) -> None:
        from adamas.rules.cpp import scalar_names  # programs of their own, which the package must not have imported
        from adamas.rules.triton_scalars import hyper_names, other_counters

        self.items, self._launch = items, launch
        self._rule, device = items[0].rule, items[0].param.device
        self._names = hyper_names(self._rule)
        self._width = len(Around._fields) + len(scalar_names(self._rule))
        self._others = other_counters(self._rule)
        self._groups = list(dict.fromkeys(item.group for item in items))
        reals = [as_real(grad) for grad in grads]
        self.squares = GpuSquares(reals) if all(map(is_dense, reals)) else None
        self._gradients = Written(len(items), torch.int64, device)
        self.gradients = self._gradients.values
        self._hyper = Written(len(self._groups) * (4 + len(self._names)), torch.float64, device)
        self._group_of, self._places, self._counters, self._other = send(
            device,
            array("i", [self._groups.index(item.group) for item in items]),
            array("i", range(len(items))),
            _addresses(items, "step"),
            _addresses(items, self._others[0] if self._others else "step"),
        )
        self._steps = torch.empty(len(items), dtype=torch.float64, device=device)
        self._numbers = torch.empty(len(items) * self._width, dtype=torch.float32, device=device)

    def prepare(self, grads: Sequence[torch.Tensor], groups: _Groups) -> list[torch.Tensor]:
        """Tell the device what this step is of; return what must stay where it is until the step is over."""
        reals = [as_real(grad) for grad in grads]
        pointers = addresses(reals)
        self._even = are_aligned(pointers)
        self._gradients.write(pointers)
        self._hyper.write([value for number in self._groups for value in self._values(groups[number])])
        return reals

    def step(self, decision: Decision) -> None:
        """Count, make the numbers of this step, and take it, if that is decided."""
        from adamas.kernels.captured import count_kernel

        kernel: Any = count_kernel[(-(-len(self.items) // _ITEMS),)]
        with torch.cuda.device_of(self._steps):
            kernel(
                self._counters, self._other, self._group_of, self._hyper.values, decision.go, decision.seen,
                self._steps, self._numbers, len(self.items), RULE=RULES[self._rule], OTHERS=bool(self._others),
                HYPER=4 + len(self._names), WIDTH=self._width, ITEMS=_ITEMS, enable_fp_fusion=False,
            )  # fmt: skip
        fresh = Fresh(self.gradients, self._steps, self._places, self._numbers)
        self._launch.run_captured(fresh, self._even, self._width, decision.go)

    def _values(self, group: dict[str, Any]) -> list[Any]:
        """Return what `adamas.kernels.captured` reads of a group."""
        mode = decay_mode(group, self._rule)
        max_lr = group.get("max_lr", group["lr"]) if mode in PACED else 1.0
        if not isinstance(max_lr, torch.Tensor):
            check_max_lr(mode, max_lr)
        sign = -1.0 if group["maximize"] else 1.0
        known = {**group, **dict(zip(("beta1", "beta2"), group.get("betas", ()), strict=False))}
        device, decay = self.gradients.device, _on(self.gradients.device, "weight_decay", group["weight_decay"])
        head = (decay, float(DECAY_MODES.index(mode)), sign, _on(device, "max_lr", max_lr))
        return [*head, *(_on(device, name, known[name]) for name in self._names)]


def _addresses(items: Sequence[Item], counter: str) -> array:
    return array("q", [item.state[counter].data_ptr() for item in items])


class CapturablePlan(Plan):
    """A plan of steps that read nothing on the host that changes from step to step.

    Args:
        groups: the optimizer's parameter groups.
        rules: the rule of each group.
        batches: items that share a program; together all that have a gradient.
        absent: the parameters without a gradient.
        states: the optimizer's state.
    """

    def __init__(
        self,
        groups: _Groups,
        rules: list[type[Rule]],
        batches: Sequence[CapturedBatch],
        absent: Sequence[torch.Tensor],
        states: dict[torch.Tensor, dict[str, Any]],
    ) -> None:
        super().__init__(groups, rules, cast(Any, batches), absent, states)
        self._captured = batches
        self.decision = Decision([batch.squares for batch in batches], self.device)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.items[0].param.device if self.items else torch.device("cpu")

    def grads(self, groups: _Groups, rule: Callable[[dict[str, Any]], type[Rule]], states: Any) -> list[Any] | None:
        """Return the gradients in the plan's order, or None if the plan no longer fits."""
        return super().grads(groups, rule, states) if any(map(is_capturable, groups)) else None

    def take(self, grads: Sequence[Any], asked: Asked) -> None:
        """Take one step with the gradients that `grads` returned, or not.

        Args:
            grads: the gradients, in the plan's order.
            asked: what decides that.
        """
        if not self.items:  # no gradient, and so no device
            return
        start, kept = 0, []
        for batch in self._captured:
            end = start + len(batch.items)
            kept += batch.prepare(grads[start:end], self._groups)
            start = end
        pointers = [batch.gradients for batch in self._captured]
        self.decision.make(pointers, asked)
        for batch in self._captured:
            batch.step(self.decision)
        del kept
