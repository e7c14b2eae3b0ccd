"""The optimizer: a ``torch.optim.Optimizer`` that steps any rule on any engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from adamas import capturing
from adamas.checkpoint import LoadReport, header, load_state_dict
from adamas.doctor import Doctor, Finding, NoiseScale, Patient, findings, from_looks, scalars
from adamas.engines.captured import is_capturable
from adamas.engines.plan import Gathering, Plan
from adamas.engines.states import State
from adamas.guards import Guards
from adamas.hooks import with_hooks
from adamas.hyperparameters import (
    EXTRAS,
    check_clip_update,
    check_group_keys,
    check_keywords,
    check_values,
    remember_max_lr,
)
from adamas.planning import catch_up_copies, check_parameter, make_plan, parameter_name, state_keys, take_back
from adamas.precision import full_precision_state_dict, load_full_precision_state_dict
from adamas.release import Release
from adamas.replacing import Rows, replace
from adamas.reports import StepReport
from adamas.rules import Rule
from adamas.shards import CutOf, cut_of
from adamas.sparse.attach import Attachment
from adamas.sparse.select import Lags

_COMMON: dict[str, Any] = {"weight_decay": 0.0, "decoupled_weight_decay": False, "maximize": False}


class Optimizer(torch.optim.Optimizer):
    """Steps parameters by a rule. The classes of `adamas.optimizers` are this one with torch's signatures.

    Update: p <- (1 - lr weight_decay) p - u  with decoupled decay, p <- p - u with the decay added to g otherwise;
    u is what the rule says.

    Args:
        params: tensors, ``(name, tensor)`` pairs (``model.named_parameters()``) or groups of either, as in torch.
        rule: a `Rule` subclass.
        decay_mode: how ``weight_decay`` (wd) acts. ``l2`` adds wd p to the gradient; the others multiply p with one
            minus lr wd (``decoupled``), wd lr / max_lr (``independent``: wd is the rate per step, whatever the peak
            lr), or wd lr^2 / max_lr (``scheduled``, which keeps the size of weights steady as lr falls; Defazio 2025,
            arXiv 2506.02285). ``auto``: what ``decoupled_weight_decay`` says. max_lr stands in the group: the lr at
            its making unless it is given there; ``OneCycleLR`` sets its own.
        engine: ``auto`` (a compiled engine where it can, per parameter: ``cpu``, or ``triton`` on a GPU), ``cpu``,
            ``triton`` (which is validated in Triton's interpreter; its speed is not yet measured) or ``reference``. The
            environment variable ``ADAMAS_ENGINE`` overrides it.
        state_format: how moments are stored: ``auto`` (in the parameter's dtype, as torch), ``float32``, ``bfloat16``.
        rounding: how 16-bit weights and moments are written: ``auto`` and ``stochastic`` round at random without bias,
            ``nearest`` as torch does.
        seed: of stochastic rounding; with it, the step and the parameter's name (or place) the bits are fixed.
        nonfinite: what to do when a gradient is infinite or NaN: ``propagate`` (step, as torch), ``skip`` the step or
            ``raise``; see `adamas.guards.Guards`, also for the next two. They may be changed in ``optimizer.guards``.
        max_skips: how many steps in a row may be skipped before an error.
        clip_norm: the largest norm of all gradients together; no gradient is written.
        clip_update: the largest RMS of a tensor's update in units of its lr, per group: above it the tensor's lr is
            divided by as much (StableAdamW has 1); see `adamas.engines.updates`.
        sparse: what a sparse gradient means for rows that it does not touch. ``lazy``: nothing, they stay as they are.
            ``exact``: what a gradient of zeros would; they are caught up when they are next touched or read (Adam,
            AdamW and AMSGrad; see `attach` and docs/sparse.md).
        row_steps: with ``lazy``, count steps row by row for the bias correction: a row's first step is then a first
            step, whenever it comes.
        **hyper: the rule's hyper-parameters, ``weight_decay``, ``decoupled_weight_decay`` and ``maximize``.

    State:
        The rule's counters and slots in ``state[p]``, made at the parameter's first step. ``step()`` changes
        nothing else: ``p.grad`` stays as it is.

    Raises:
        TypeError: for a keyword that the rule has not, or a parameter that is not of floating point.
        ValueError: for a hyper-parameter out of its range, an unknown group key, engine, format or rounding.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = adamas.Optimizer([w], adamas.rules.Adam, lr=0.1)
        >>> w.grad = torch.tensor([1.0, -1.0])
        >>> optimizer.step()
        >>> [round(x, 6) for x in w.tolist()]
        [0.9, 1.1]
    """

    # torch.amp.GradScaler: give us the scale and whether an infinity was found, do not touch the gradients yourself.
    _step_supports_amp_scaling = True

    # How a parameter is cut over processes, and what sends them each other's pieces.
    _how: CutOf = staticmethod(cut_of)
    _gathering: Gathering | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Optimizer:
        """Answer a misspelt keyword with the nearest right one."""
        taken = inspect.signature(cls.__init__).parameters.values()
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in taken):
            check_keywords(kwargs, [parameter.name for parameter in taken][1:], cls.__name__)
        return super().__new__(cls)

    def __init__(
        self,
        params: ParamsT,
        rule: type[Rule],
        *,
        decay_mode: str = "auto",
        engine: str = "auto",
        state_format: str = "auto",
        rounding: str = "auto",
        seed: int = 0,
        nonfinite: str = "propagate",
        max_skips: int | None = None,
        clip_norm: float | None = None,
        clip_update: float | None = None,
        sparse: str = "lazy",
        row_steps: bool = False,
        **hyper: Any,
    ) -> None:
        known = {**_COMMON, "decoupled_weight_decay": rule.decoupled_weight_decay, **rule.defaults}
        check_keywords(hyper, known, rule.__name__)
        extras = {"engine": engine, "state_format": state_format, "rounding": rounding, "seed": seed}
        extras |= {"nonfinite": nonfinite, "max_skips": max_skips, "clip_norm": clip_norm, "clip_update": clip_update}
        extras |= {"decay_mode": decay_mode, "sparse": sparse, "row_steps": row_steps}
        self._rule = rule
        self._start(params, {**known, **hyper, **extras})

    def _start(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        """Check the defaults and hand them to torch; the constructors of all subclasses end here."""
        defaults = {"differentiable": False, "sparse": "lazy", "row_steps": False, **defaults}
        self.guards = Guards(*(defaults.pop(key) for key in ("nonfinite", "max_skips", "clip_norm")))
        check_values(defaults)
        if defaults["differentiable"] and (self.guards.clip_norm or defaults["clip_update"]):
            raise NotImplementedError(
                "differentiable=True allows neither clip_norm nor clip_update: the factor would be a constant"
            )
        self._plan: Plan | None = None
        self._release: Release | None = None
        self.doctor: Doctor | None = None
        self._lags: Lags = {}
        self._held: list[Plan] = []
        super().__init__(params, defaults)

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return the rule that a group's hyper-parameters ask for."""
        return self._rule

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with hyper-parameters of its own where it names them.

        Raises:
            ValueError: for an unknown key or a value out of its range; the optimizer is then as it was.
        """
        if isinstance(param_group, dict):
            check_group_keys(param_group, self.defaults)
            check_values({**self.defaults, **param_group})
            self._check_group({**self.defaults, **param_group})
            check_clip_update({**self.defaults, **param_group}, self.rule({**self.defaults, **param_group}))
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        try:
            for place, p in enumerate(added["params"]):
                check_parameter(parameter_name(self.param_groups, len(self.param_groups) - 1, place), p)
        except TypeError:
            del self.param_groups[-1]
            raise
        if isinstance(added["lr"], torch.Tensor) and added["lr"] is self.defaults["lr"]:
            added["lr"] = added["lr"].clone()  # one tensor in all groups would be scheduled once for each of them
        remember_max_lr(added)
        self._plan = None

    def _check_group(self, group: dict[str, Any]) -> None:
        """Raise ValueError for combinations that a subclass does not allow."""

    @with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step every parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss and its gradients, returns the loss.

        Returns:
            What the closure returned, or None.

        Raises:
            RuntimeError: if a gradient does not fit its parameter; nothing was changed then.
            NonFiniteError: if the guards say so; nothing was changed then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self._release is not None:
            self._release.finish()
            return loss
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if any(map(is_capturable, self.param_groups)):
            with torch.no_grad():
                capturing.take_step(self, found_inf, scale)
            return loss
        if capturing.HAS_CUDA:
            capturing.refuse_capture(self)
        if found_inf is not None and found_inf.item():
            self.guards.skip(self.param_groups, "the gradient scaler found an infinite or NaN gradient")
            return loss
        before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(self.defaults["differentiable"])  # what torch.set_grad_enabled calls, in 2 µs less
        try:
            self._take_step(1.0 if scale is None else 1.0 / scale.item())
        finally:
            torch._C._set_grad_enabled(before)
        return loss

    def release(
        self, model: torch.nn.Module, *, accumulate: int = 1, fold: bool = False, stale_clip_norm: bool = False
    ) -> Release:
        """Step every parameter inside backward, as soon as its gradient is there, and free the gradient.

        Training goes on as before, with the same numbers: backward, ``step()``, LR scheduler. But the weights change
        during backward, with the hyper-parameters as they are then; ``step()`` completes the step, and checks that
        every parameter had its gradient. Gradients no longer exist all at once: 4 bytes a parameter less in float32.

        Limitations: no ``nonfinite``, no ``clip_norm`` (but see below), no GradScaler, no DistributedDataParallel
        (FSDP2 is: its hooks come after its reduce), no ``create_graph=True``; all parameters with ``requires_grad``
        must take part in every backward. Until it is
        removed, glibc's allocator is told to give blocks of 1 MiB and more back (`adamas.release.allocator`).

        Args:
            model: the module that the parameters belong to.
            accumulate: how many backward passes make a step, >= 1. Gradients are added up in ``p.grad``, and freed in
                the last of them: the numbers are exact, the memory is saved only from pass to pass.
            fold: take each of these passes into the moments at once (Adam and AdamW; AdamA, arXiv 2305.19982). The
                second moment then is the sum of squares of the parts, where it would be the square of their sum: steps
                are up to sqrt(accumulate) times as large.
            stale_clip_norm: clip with the norm of the step before (the first step is not clipped).

        Returns:
            A handle; its ``remove()`` ends all this.

        Raises:
            ValueError: for what cannot go together, with the reason.
            RuntimeError: if there is a release already.

        Example:
            >>> import torch, adamas
            >>> model = torch.nn.Linear(2, 1)
            >>> optimizer = adamas.AdamW(model.parameters())
            >>> handle = optimizer.release(model)
            >>> model(torch.ones(1, 2)).sum().backward()
            >>> optimizer.step()
            >>> model.weight.grad is None, optimizer.state[model.weight]["step"].item(), handle.steps
            (True, 1.0, 1)
            >>> handle.remove()
        """
        if self.doctor is not None:
            raise RuntimeError(
                "the doctor cannot look at released gradients: set optimizer.diagnose_every = None first"
            )
        if self._release is not None:
            raise RuntimeError("this optimizer's gradients are released already: call remove() of that handle first")
        self.flush()
        self._release = Release(self, model, accumulate, fold, stale_clip_norm)
        return self._release

    def attach(self, model: torch.nn.Module) -> Attachment:
        """Catch up rows of embeddings when they are read, for ``sparse="exact"``.

        The dense optimizer would have moved rows that have no gradient before the forward pass reads them. This puts a
        hook before the forward of every ``nn.Embedding`` and ``nn.EmbeddingBag`` with ``sparse=True`` whose weight
        this optimizer has, and one before ``model.state_dict()``, which catches up all rows. Code that indexes a weight
        by hand calls `catch_up` before.

        Args:
            model: the module with the embeddings, or one of them.

        Returns:
            A handle; its ``remove()`` takes the hooks off.

        Raises:
            ValueError: if the model has no such embedding.

        Example:
            >>> import torch, adamas
            >>> words = torch.nn.Embedding(1000, 4, sparse=True)
            >>> optimizer = adamas.AdamW(words.parameters(), lr=0.1)
            >>> handle = optimizer.attach(words)
            >>> for word in (1, 2, 1):
            ...     words(torch.tensor([word])).sum().backward()
            ...     optimizer.step(); optimizer.zero_grad()
            >>> handle.remove()
        """
        return Attachment(self, model)

    @torch._disable_dynamo  # as for step, see hooks.py: compiled forwards come here, and must not trace it
    def catch_up(self, param: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Bring rows to where the dense optimizer would have them now, for ``sparse="exact"``.

        Args:
            param: a parameter of this optimizer. One without sparse gradients is never behind.
            rows: numbers of rows (integers of any shape, in any order); None: all.

        Raises:
            ValueError: if the parameter is not in the optimizer.
            IndexError: if it has no such row; nothing was changed then.
        """
        lag = self._lags.get(param)
        if lag is not None:
            lag.catch_up(rows)
        elif not any(param is each for group in self.param_groups for each in group["params"]):
            raise ValueError("catch_up() was given a tensor that is no parameter of this optimizer")

    def flush(self) -> None:
        """Catch up all rows of all parameters: weights and state are then what the dense optimizer would have.

        Happens by itself in ``state_dict()`` and when betas or eps change; copies by ``pickle`` and ``deepcopy`` catch
        themselves up.
        """
        for lag in self._lags.values():
            lag.flush()

    @property
    def skipped(self) -> int:
        """How many steps were skipped because a gradient was not finite."""
        return self.guards.skipped

    @property
    def last_step(self) -> StepReport | None:
        """What the guards saw in the last step, and did; None before the first."""
        return self.guards.last_step

    @property
    def diagnose_every(self) -> int | None:
        """Every how many steps the doctor looks at one; None: never, which costs nothing. 16 costs about 5 %.

        Parameters with sparse gradients are stepped as ever and not looked at; released gradients are refused.
        """
        return None if self.doctor is None else self.doctor.every

    @diagnose_every.setter
    def diagnose_every(self, every: int | None) -> None:
        if every is not None and self._release is not None:
            raise RuntimeError("steps of released gradients cannot be looked at: call remove() of the release first")
        self.doctor = None if every is None else Doctor(every)

    def diagnose(self) -> list[Finding]:
        """Return what is wrong with this run as far as its steps show, causes before effects.

        Returns:
            Findings: what, where, the number and its threshold, what to change, who says so.

        Raises:
            RuntimeError: if no doctor looks at the steps.

        Example:
            >>> import torch, adamas
            >>> w = torch.nn.Parameter(torch.ones(100, dtype=torch.bfloat16))
            >>> optimizer = adamas.AdamW([("w", w)], lr=1e-5, weight_decay=0, rounding="nearest")
            >>> optimizer.diagnose_every = 16
            >>> for _ in range(32):
            ...     w.grad = torch.randn_like(w)
            ...     optimizer.step()
            >>> for finding in optimizer.diagnose():
            ...     print(finding)
            updates are lost to rounding: w (1, threshold 0.5)
              rounding='stochastic' (no memory) or 'split24' (a byte a weight), or float32 weights. [Zamirai et al. ...
        """
        if self.doctor is None:
            raise RuntimeError("no doctor looks at the steps: set optimizer.diagnose_every = 16 and train on")
        return findings(Patient(self, self.doctor))

    def noise_scale(self, batch: int) -> NoiseScale | None:
        """Return about how large a batch may be before a larger one stops helping, with its range.

        A direction, not a number: it grows as training goes on and differs from layer to layer (McCandlish et al. 2018,
        arXiv 1812.06162). It is read from g m, which is wrong as far as gradients turn within the memory of m: at
        learning rates up to 3e-4 it was within a factor 2 in 96 % of readings at every 16th step, 75 % at every 32nd.

        Args:
            batch: examples in a step, of all ranks together.

        Returns:
            None if too few steps were seen yet, or the rule keeps no mean of gradients. `adamas.doctor.noise_scale`
            says what it means and when it is wrong.
        """
        return None if self.doctor is None else from_looks(list(self.doctor.looks), batch)

    def scalars(self) -> dict[str, float]:
        """Return what the doctor saw last as numbers by name, for loggers; empty before the first look."""
        return scalars(self.doctor.looks[-1]) if self.doctor is not None and self.doctor.looks else {}

    def _take_step(self, inverse_scale: float) -> None:
        grads = self._plan.grads(self.param_groups, self.rule, self.state) if self._plan else None
        before = None
        if grads is None:
            before = state_keys(self.state)
            rules = [self.rule(group) for group in self.param_groups]
            self._plan = make_plan(self.param_groups, rules, self.state, self._lags, self._how)
            grads = self._plan.grads(self.param_groups, self.rule, self.state)
            if grads is None:
                raise RuntimeError("the optimizer was changed by another thread while it planned its step")

        def undo() -> None:
            if before is not None:  # what was made for this step is taken back: the next one may be the first
                take_back(self.state, before)
                self._plan = None

        plan = self._plan
        assert plan is not None
        plan.look = self.doctor is not None and self.doctor.due()
        self.guards.step(plan, grads, self.param_groups, inverse_scale, undo, self._gathering)
        if plan.look and self.doctor is not None and not (self.last_step and self.last_step.skipped):
            self.doctor.take(self.param_groups, plan.readings())

    def state_dict(self) -> dict[str, Any]:
        """Return groups and state as plain dicts, lists and tensors: what ``torch.load(weights_only=True)`` reads.

        The tensors are the optimizer's own, as in torch: ``deepcopy`` it to keep it while training goes on. Beside
        torch's keys there is ``adamas``: the version of the dict, the name of the class, and shapes of parameters whose
        moments do not tell. Rows that lag behind the dense optimizer are caught up before.
        """
        self.flush()
        packed = super().state_dict()
        packed["state"] = {
            key: dict(state) if isinstance(state, State) else state for key, state in packed["state"].items()
        }
        packed["adamas"] = header(self, packed)
        return packed

    def load_state_dict(
        self, state_dict: dict[str, Any], strict: bool = True, hyperparameters: str = "load"
    ) -> LoadReport:
        """Load what ``state_dict()`` of this class, or of torch's class of the same name, returned.

        Parameters are matched by name when both sides have names, otherwise by their order. Moments keep the dtype
        they were saved in; those of a torch checkpoint take this optimizer's ``state_format`` unless it is ``auto``.
        The engine stays this optimizer's own: the checkpoint may come from another machine. What rows had to catch up
        with (``sparse="exact"``) is forgotten: weights are loaded with their moments.

        Args:
            state_dict: what to load; it is copied, never shared.
            strict: refuse it if anything does not fit. Otherwise what fits is loaded, the rest starts afresh and is
                in the report. Without names on both sides, the sizes of all groups must fit in any case.
            hyperparameters: ``load`` takes the saved ones (lr, betas, ... of the saved group that a group's parameters
                were in); ``keep`` keeps this optimizer's, for moments alone.

        Returns:
            What did not fit: `adamas.checkpoint.LoadReport`.

        Raises:
            ValueError: if groups, names or shapes do not fit, all of them named; nothing was changed then.
        """
        report = load_state_dict(self, state_dict, strict, hyperparameters)
        self._plan, self._lags = None, {}
        if self.doctor is not None:
            self.doctor.remember_loaded(self.param_groups)
        return report

    def full_precision_state_dict(self, model: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return ``model.state_dict()`` in float32: 16-bit weights with the bits that ``rounding="split..."`` keeps.

        Args:
            model: whose parameters this optimizer has.

        Returns:
            Copies. With ``split32`` they are exactly what training in float32 would have; what is not split is cast.

        Example:
            >>> import torch, adamas
            >>> model = torch.nn.Linear(2, 1, bias=False).bfloat16()
            >>> optimizer = adamas.AdamW(model.parameters(), lr=1e-4, rounding="split32")
            >>> model(torch.ones(1, 2).bfloat16()).sum().backward()
            >>> optimizer.step()
            >>> full = optimizer.full_precision_state_dict(model)["weight"]
            >>> full.dtype, torch.allclose(full, model.weight.float(), rtol=2**-8)
            (torch.float32, True)
        """
        self.flush()
        return full_precision_state_dict(self, model)

    def load_full_precision_state_dict(self, model: torch.nn.Module, full: dict[str, torch.Tensor]) -> None:
        """Put float32 weights into the model, and the bits it has no room for into this optimizer.

        Args:
            model: whose parameters this optimizer has.
            full: what `full_precision_state_dict` returned, or any ``state_dict()`` of this model in float32.

        Raises:
            ValueError: if names or shapes do not fit; nothing was loaded then.
        """
        self.flush()
        load_full_precision_state_dict(self, model, full)

    def replace(self, old: torch.Tensor, new: torch.Tensor, rows: Rows = None, dim: int = 0) -> None:
        """Put a parameter in the place of another, with its name, group and step; kept rows keep their moments.

        For a vocabulary that grows, a layer that is pruned, weights that are cast or unfrozen as another tensor. New
        rows begin with fresh moments at the step of the others: with Adam their first updates are up to
        (1 - beta1) / sqrt(1 - beta2) times lr, 3.2 for the default betas.

        Args:
            old: a parameter of this optimizer.
            new: the tensor to step from now on; its numbers are left as they are.
            rows: for each row of ``new`` the row of ``old`` that it continues, or -1; None: row i continues row i.
            dim: the dimension that the rows are counted along; all others must be equal.

        Raises:
            ValueError: if ``old`` is not in the optimizer, ``new`` is, or they do not fit; nothing was changed then.

        Example:
            >>> import torch, adamas
            >>> old, new = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(4, 3))
            >>> optimizer = adamas.SGD([old], lr=0.1, momentum=0.9)
            >>> old.grad = torch.ones(2, 3); optimizer.step()
            >>> optimizer.replace(old, new, rows=[1, 0, -1, -1])
            >>> optimizer.state[new]["momentum_buffer"].sum(dim=1)
            tensor([3., 3., 0., 0.])
        """
        self.flush()
        replace(self, old, new, rows, dim)
        self._lags.pop(old, None)
        self._plan = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle and deepcopy keep; rows that lag are caught up in the copy."""
        behind = {p: lag.packed() for p, lag in self._lags.items()}
        kept = {**super().__getstate__(), "_behind": {p: each for p, each in behind.items() if each is not None}}
        own = ("_rule", "guards", "doctor", "_how", "_gathering")
        return {**kept, **{key: self.__dict__[key] for key in own if key in self.__dict__}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what pickle, deepcopy or `load_state_dict` kept."""
        self._plan, self._lags = None, {}
        behind = state.pop("_behind", {})
        super().__setstate__(state)
        self.__dict__.setdefault("guards", Guards())
        self.__dict__.setdefault("_release", None)
        self.__dict__.setdefault("_held", [])
        self.__dict__.setdefault("doctor", None)
        for group in self.param_groups:
            for key, value in {**EXTRAS, **self.defaults}.items():
                group.setdefault(key, value)
        if behind:
            with torch.no_grad():
                catch_up_copies(self.param_groups, list(map(self.rule, self.param_groups)), self.state, behind)
