"""Whatever is done to an optimizer, in whatever order: both engines leave the same bits, and those of the papers.

Hypothesis draws the order. ``pytest tests/fuzz --hypothesis-profile=fuzz`` draws longer ones, and more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adamas.rules import Slot

from ..contract.measure import assert_same_bits
from ..sparse.sequences import coo
from .choices import COMMON, HYPER, MOST_CELLS, SHAPES, carried, near, numbers
from .model import Cell, Group, Model
from .side import Side

seeds = st.integers(0, 2**16)
shares = st.floats(0, 1, exclude_max=True)  # of a list whose length is not known yet
dtypes = st.sampled_from([torch.float64, torch.float64, torch.float32, torch.bfloat16])


class Machine(RuleBasedStateMachine):
    """Leads two optimizers and the model through the same life."""

    @initialize(
        kind=st.sampled_from(list(HYPER)),
        named=st.booleans(),
        guard=st.sampled_from([None, "clip", "skip", "both"]),
        draw=st.data(),
    )
    def begin(self, kind: str, named: bool, guard: str | None, draw: st.DataObject) -> None:
        self.kind, self.named, self.made = kind, named, 0
        clip, skip = 0.5 if guard in ("clip", "both") else None, guard in ("skip", "both")
        self.model = Model(kind, clip, skip)
        self.saved: Any = None
        self.largest: dict[int, float] = {}
        options = {"clip_norm": clip, "nonfinite": "skip" if skip else "propagate"}
        groups = self.new_group(draw)
        self.sides = [
            Side(kind, engine, [group], **options) for engine, group in zip(("auto", "reference"), groups, strict=True)
        ]

    def new_group(self, draw: st.DataObject) -> list[dict[str, Any]]:
        """Add a group to the model; return it for either side."""
        dtype = draw.draw(dtypes)
        hyper = {key: draw.draw(st.sampled_from(values)) for key, values in {**COMMON, **HYPER[self.kind]}.items()}
        # Model and sides agree about numbers in float64 alone; few bits are for the engines to agree about.
        form = (
            "auto"
            if dtype == torch.float64 or hyper["sparse"] == "exact"
            else draw.draw(st.sampled_from(["auto", "float32", "int8", "int4"]))
        )
        groups: list[dict[str, Any]] = [{"params": [], **hyper, "state_format": form} for _ in range(2)]
        cells = []
        for shape in draw.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3)):
            value = numbers(shape, draw.draw(seeds)).to(dtype)
            turned = len(shape) > 1 and draw.draw(st.booleans())
            for group in groups:
                own = value.mT.clone(memory_format=torch.contiguous_format).mT if turned else value.clone()
                p = torch.nn.Parameter(own)
                group["params"].append((f"p{self.made}", p) if self.named else p)
            self.made += 1
            cells.append(Cell(value.double().numpy().copy()))
        self.model.groups.append(Group(hyper, cells))
        return groups

    # ---- what there is ---------------------------------------------------------------------------------------------

    @property
    def released(self) -> bool:
        return self.sides[0].handle is not None

    def parameter(self, share: float) -> tuple[int, Cell, Group, list[torch.Tensor]]:
        """Return a parameter's place, its cell and group in the model, and itself on both sides."""
        owners = [(cell, group) for group in self.model.groups for cell in group.cells]
        place = int(share * len(owners))
        return place, *owners[place], [side.params[place] for side in self.sides]

    def give(self, share: float, kind: str, seed: int, scale: float) -> None:
        """Give a parameter a gradient."""
        _, cell, _, params = self.parameter(share)
        p = params[0]
        if not p.requires_grad:
            return
        if kind == "sparse" and p.dim() >= 2:
            generator = torch.Generator().manual_seed(seed)
            count = int(torch.randint(0, 5, (1,), generator=generator)) if len(p) else 0
            rows = torch.randint(0, max(1, len(p)), (count,), generator=generator)
            if p.dtype != torch.float64:  # duplicates are added in float32, and the clipped norm is everybody's
                rows = rows.unique()
                count = len(rows)
            grad = coo(rows, numbers((count, *p.shape[1:]), seed, scale).to(p.dtype), tuple(p.shape))
            cell.rows = np.zeros(len(p), dtype=bool)
            cell.rows[rows.numpy()] = True
        else:
            grad = numbers(tuple(p.shape), seed, scale).to(p.dtype)
            cell.rows = None
        cell.grad = grad.to_dense().double().numpy().copy()
        for each in params:
            each.grad = grad.clone()

    # ---- what may happen -------------------------------------------------------------------------------------------

    @rule(share=shares, kind=st.sampled_from(["dense", "sparse"]), seed=seeds, scale=st.sampled_from([1.0, 1e-3, 0.0]))
    @precondition(lambda self: not self.released)
    def gradient(self, share: float, kind: str, seed: int, scale: float) -> None:
        self.give(share, kind, seed, scale)

    @rule(kind=st.sampled_from(["dense", "sparse"]), seed=seeds)
    @precondition(lambda self: not self.released)
    def gradients_and_step(self, kind: str, seed: int) -> None:
        count = len(self.model.cells)
        for place in range(count):
            self.give((place + 0.5) / count, kind, seed + place, 1.0)
        self.step(seed)

    @rule(share=shares, bad=st.sampled_from([float("inf"), float("nan")]))
    @precondition(lambda self: not self.released and self.model.skip)
    def spoil(self, share: float, bad: float) -> None:
        _, cell, _, params = self.parameter(share)
        if cell.grad is not None and cell.rows is None and cell.grad.size:
            cell.grad.reshape(-1)[-1] = bad
            for p in params:
                assert p.grad is not None
                p.grad.view(-1)[-1] = bad

    @rule(to_none=st.booleans())
    def zero_grad(self, to_none: bool) -> None:
        for side in self.sides:
            side.optimizer.zero_grad(set_to_none=to_none)
        for cell in self.model.cells:
            if to_none or cell.grad is None:
                cell.grad = cell.rows = None
            else:
                cell.grad = np.zeros_like(cell.grad)
                cell.rows = None if cell.rows is None else np.zeros_like(cell.rows)

    @rule(seed=seeds)
    def step(self, seed: int) -> None:
        gradients: list[torch.Tensor | None] | None = None
        if self.released:
            gradients = []
            for place, (cell, p) in enumerate(zip(self.model.cells, self.sides[0].params, strict=True)):
                grad = numbers(tuple(p.shape), seed + place).to(p.dtype) if p.requires_grad else None
                cell.grad, cell.rows = None if grad is None else grad.double().numpy().copy(), None
                gradients.append(grad)
        self.model.step()
        for side in self.sides:
            side.step(gradients)
        for place, cell in enumerate(self.model.cells):
            self.largest[place] = max(self.largest.get(place, 1.0), float(np.abs(cell.value).max(initial=0.0)))
            if self.released:
                cell.grad = None

    @rule(share=shares, frozen=st.booleans())
    def freeze(self, share: float, frozen: bool) -> None:
        _, cell, _, params = self.parameter(share)
        if self.released and not frozen:
            return  # thawed after release(): refused, see tests/release
        cell.grad = cell.rows = None
        for p in params:
            p.grad = None
            p.requires_grad_(not frozen)

    @rule(share=shares, draw=st.data())
    def change(self, share: float, draw: st.DataObject) -> None:
        place = int(share * len(self.model.groups))
        group = self.model.groups[place]
        few_bits = self.sides[0].optimizer.param_groups[place]["state_format"] in ("int8", "int4")
        options = {**COMMON, **HYPER[self.kind]}
        key = draw.draw(st.sampled_from([key for key in options if not (few_bits and key == "sparse")]))
        value = draw.draw(st.sampled_from(options[key]))
        group.hyper[key] = value
        for side in self.sides:
            side.optimizer.param_groups[place][key] = value

    @rule(draw=st.data())
    @precondition(lambda self: not self.released and len(self.model.cells) < MOST_CELLS)
    def add_group(self, draw: st.DataObject) -> None:
        for side, group in zip(self.sides, self.new_group(draw), strict=True):
            side.optimizer.add_param_group(group)

    @rule(share=shares, height=st.integers(0, 8), seed=seeds, turned=st.booleans())
    @precondition(lambda self: not self.released)
    def replace(self, share: float, height: int, seed: int, turned: bool) -> None:
        place, cell, _, params = self.parameter(share)
        shape = (height, *cell.value.shape[1:]) if cell.value.ndim else ()
        value = numbers(shape, seed).to(params[0].dtype)
        rows = None
        if cell.value.ndim:
            generator = torch.Generator().manual_seed(seed)
            rows = torch.randint(-1, cell.value.shape[0], (height,), generator=generator)
        for side, old in zip(self.sides, params, strict=True):
            own = value.mT.clone(memory_format=torch.contiguous_format).mT if turned and len(shape) > 1 else value
            side.optimizer.replace(old, torch.nn.Parameter(own.clone()), rows)
        cell.state = {key: carried(each, shape, rows) for key, each in cell.state.items()}
        cell.value, cell.grad, cell.rows = value.double().numpy().copy(), None, None
        self.largest.pop(place, None)

    @rule()
    def save(self) -> None:
        for side in self.sides:
            side.save()
        self.saved = self.model.snapshot()

    @rule(hyperparameters=st.sampled_from(["load", "keep"]))
    @precondition(lambda self: self.saved is not None)
    def load(self, hyperparameters: str) -> None:
        fits = self.saved_fits(hyperparameters == "load")
        if fits and self.leaves_misfits(hyperparameters == "load"):
            return
        for side in self.sides:
            side.optimizer.flush()  # what rows had to catch up with is forgotten: weights are loaded with moments
            try:
                side.load(hyperparameters)
            except ValueError:
                assert not fits
            else:
                assert fits
        if fits:
            self.model.restore(self.saved, hyperparameters == "load")

    def saved_fits(self, hyperparameters: bool) -> bool:
        """Say whether what was saved is of the groups, shapes and slots that there are now."""
        if [len(states) for _, states in self.saved] != [len(group.cells) for group in self.model.groups]:
            return False
        for number, (slots, p) in enumerate(self.loading(hyperparameters)):
            state = self.sides[0].saved["state"].get(number, {})
            late = [slot.late for slot in slots if slot.name not in state]
            known = len(late) < len(slots) or state.keys() <= {"step"}
            if state and late and not (all(late) and known):
                return False
            if state and slots and self.saved_shape(number) not in (None, tuple(p.shape)):
                return False
        return True

    def leaves_misfits(self, hyperparameters: bool) -> bool:
        """Say whether loading would keep slots of another shape that no rule has now, but one may have again."""
        shapes = [
            (self.saved_shape(number), tuple(p.shape)) for number, (_, p) in enumerate(self.loading(hyperparameters))
        ]
        return any(saved not in (None, own) for saved, own in shapes)

    def loading(self, hyperparameters: bool) -> Iterator[tuple[tuple[Slot, ...], torch.Tensor]]:
        """Give each parameter, and the slots of its rule after loading."""
        optimizer = self.sides[0].optimizer
        for own, (hyper, _) in zip(optimizer.param_groups, self.saved, strict=True):
            slots = optimizer.rule({**own, **(hyper if hyperparameters else {})}).slots
            for p in own["params"]:
                yield slots, p

    def saved_shape(self, number: int) -> tuple[int, ...] | None:
        """Return the shape of a parameter's slots when they were saved; None if it had none."""
        states = [state for _, states in self.saved for state in states]
        return next((x.shape for x in states[number].values() if isinstance(x, np.ndarray)), None)

    @rule()
    @precondition(lambda self: not self.released)
    def through_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for side in self.sides:
                side.through_a_file(Path(folder))

    @rule(by_pickle=st.booleans())
    @precondition(lambda self: not self.released)
    def copy(self, by_pickle: bool) -> None:
        for side in self.sides:
            side.through_a_copy(by_pickle)

    @rule()
    @precondition(lambda self: not self.released and self.model.clip_norm is None and not self.model.skip)
    def release(self) -> None:
        self.zero_grad(True)
        for side in self.sides:
            side.release()

    @rule()
    @precondition(lambda self: self.released)
    def remove(self) -> None:
        for side in self.sides:
            side.remove()

    # ---- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def as_many_were_skipped(self) -> None:
        if hasattr(self, "sides"):
            assert [side.optimizer.skipped for side in self.sides] == [self.model.skipped] * 2

    @rule()
    def look(self) -> None:
        """Compare everything. Rows that lag are caught up by it, so it does not happen after every step."""
        ours, theirs = (side.optimizer for side in self.sides)
        for optimizer in (ours, theirs):
            optimizer.flush()
        for place, (cell, p, q) in enumerate(zip(self.model.cells, *(side.params for side in self.sides), strict=True)):
            assert_same_bits(p.detach(), q.detach(), f"parameter {place}")
            assert_same_bits(dict(ours.state.get(p, {})), dict(theirs.state.get(q, {})), f"state of parameter {place}")
            if p.dtype == torch.float64:
                near(p.detach(), cell.value, self.largest.get(place, 1.0), f"parameter {place}")
                for key, value in cell.state.items():
                    largest = float(np.abs(value).max(initial=1e-3))
                    near(ours.state[p][key], value, largest, f"{key} of parameter {place}")

    def teardown(self) -> None:
        if hasattr(self, "sides"):
            self.look()
            for side in self.sides:
                if side.handle is not None:
                    side.remove()


quick = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    derandomize=True,
)
TestOptimizer = Machine.TestCase
TestOptimizer.settings = settings() if settings.get_current_profile_name() == "fuzz" else quick
