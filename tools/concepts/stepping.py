"""Pictures about optimizers: small problems, stepped by the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

import adamas
from tools.concepts.draw import Axis, Curve, chart, charts

STEPS = Axis("step")


def walk(
    make: Callable[[list[torch.nn.Parameter]], adamas.Optimizer],
    start: Sequence[float],
    gradient: Callable[[torch.Tensor, int], torch.Tensor],
    steps: int,
) -> list[list[float]]:
    """Return the places of a parameter, in float64, from its start on."""
    p = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer, places = make([p]), [p.tolist()]
    for t in range(1, steps + 1):
        p.grad = gradient(p.detach(), t)
        optimizer.step()
        places.append(p.tolist())
    return places


def valley(x: torch.Tensor, t: int) -> torch.Tensor:
    """The gradient of (x^2 + 40 y^2) / 2."""
    return x * torch.tensor([1.0, 40.0])


def valley_loss(place: Sequence[float]) -> float:
    """What it is the gradient of."""
    return (place[0] ** 2 + 40 * place[1] ** 2) / 2


def adam() -> str:
    """Ways down a valley that is 40 times as steep across as along."""
    makes: list[tuple[str, Callable[[Any], adamas.Optimizer]]] = [
        ("Adam, lr 0.2", lambda p: adamas.Adam(p, lr=0.2)),
        ("SGD, lr 0.045", lambda p: adamas.SGD(p, lr=0.045)),
    ]
    ways = [(name, walk(make, (-4.0, 1.2), valley, 60)) for name, make in makes]
    rings = [
        Curve("", [a * math.cos(i / 40) for i in range(252)], [a * math.sin(i / 40) / 40**0.5 for i in range(252)])
        for a in (1.0, 2.0, 4.0, 6.0)
    ]
    curves = [Curve(name, *map(list, zip(*way, strict=True)), dots=True) for name, way in ways]
    return chart("60 steps in a valley 40 times as steep across as along", [*rings, *curves], Axis("x"), Axis("y"))


def moments() -> str:
    """Means of a noisy gradient around 1, with and without the bias of their start at zero."""
    generator = torch.Generator().manual_seed(0)
    gradients = (1 + 0.5 * torch.randn(2000, generator=generator, dtype=torch.float64)).tolist()
    panels = []
    for name, beta, power, steps in (("mean of g, β₁ = 0.9", 0.9, 1, 60), ("mean of g², β₂ = 0.999", 0.999, 2, 2000)):
        raw, unbiased, mean = [], [], 0.0
        for t, g in enumerate(gradients[:steps], 1):
            mean = beta * mean + (1 - beta) * g**power
            raw.append(mean)
            unbiased.append(mean / (1 - beta**t))
        x = list(range(1, steps + 1))
        truth = [1.0 if power == 1 else 1.25] * steps
        curves = [Curve("corrected", x, unbiased), Curve("as kept", x, raw), Curve("truth", x, truth, dashed=True)]
        panels.append((name, curves, STEPS, Axis("", ends=(0.0, 2.2))))
    return charts("Running means with and without bias correction", panels)


def adagrad() -> str:
    """Effective step sizes of a frequent and a rare feature."""

    def sizes(make: Callable[[Any], adamas.Optimizer], every: int) -> tuple[list[float], list[float]]:
        seen = lambda x, t: torch.tensor([1.0 if t % every == 0 else 0.0], dtype=torch.float64)  # noqa: E731
        way = walk(make, (0.0,), seen, 1000)
        moved = [(t, before[0] - after[0]) for t, (before, after) in enumerate(pairwise(way), 1)]
        taken = [(t, by) for t, by in moved if by > 0]
        return [t for t, _ in taken], [by for _, by in taken]

    curves = [
        Curve("AdaGrad, at every step", *sizes(lambda p: adamas.Adagrad(p, lr=0.1), 1)),
        Curve("at every 50th", *sizes(lambda p: adamas.Adagrad(p, lr=0.1), 50), dots=True),
        Curve("SGD, either", *sizes(lambda p: adamas.SGD(p, lr=0.02), 1), dashed=True),
    ]
    return chart("How far a gradient of 1 moves a weight", curves, Axis("step", log=True), Axis("step size", log=True))


def rmsprop() -> str:
    """Steps after the gradients become a hundred times smaller."""
    shrinking = lambda x, t: torch.tensor([100.0 if t <= 200 else 1.0], dtype=torch.float64)  # noqa: E731
    curves = []
    for name, make in (
        ("RMSProp, alpha = 0.98", lambda p: adamas.RMSprop(p, lr=0.01, alpha=0.98)),
        ("AdaGrad", lambda p: adamas.Adagrad(p, lr=0.1)),
        ("SGD", lambda p: adamas.SGD(p, lr=0.001)),
    ):
        way = walk(make, (0.0,), shrinking, 1000)
        moved = [before[0] - after[0] for before, after in pairwise(way)]
        curves.append(Curve(name, list(range(1, 1001)), moved))
    return chart("Gradients drop from 100 to 1 at step 200", curves, STEPS, Axis("movement in a step", log=True))


def momentum() -> str:
    """The loss in the valley, each at the settings that theory gives."""
    curves = []
    for name, make in (
        ("SGD", lambda p: adamas.SGD(p, lr=2 / 41)),
        ("momentum 0.53", lambda p: adamas.SGD(p, lr=4 / (1 + 40**0.5) ** 2, momentum=0.53)),
        ("Nesterov's, 0.73", lambda p: adamas.SGD(p, lr=1 / 40, momentum=0.73, nesterov=True)),
    ):
        way = walk(make, (-4.0, 1.2), valley, 120)
        curves.append(Curve(name, list(range(121)), [max(valley_loss(place), 1e-12) for place in way]))
    return chart("The same valley: momentum shortens the way along it", curves, STEPS, Axis("loss", log=True))


def adamw() -> str:
    """By how much weight decay shrinks weights whose gradients differ in size."""
    scales = [10.0**power for power in (-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1)]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1000, len(scales), generator=generator, dtype=torch.float64) * torch.tensor(scales)
    curves = []
    for name, make in (
        ("Adam: decay added to the gradient (L2)", lambda p: adamas.Adam(p, lr=1e-3, weight_decay=0.1)),
        ("AdamW: decoupled", lambda p: adamas.AdamW(p, lr=1e-3, weight_decay=0.1)),
    ):
        way = walk(make, [1.0] * len(scales), lambda x, t: noise[t - 1], 1000)
        without = walk(lambda p: adamas.Adam(p, lr=1e-3), [1.0] * len(scales), lambda x, t: noise[t - 1], 1000)
        lost = [max(free - kept, 1e-4) for free, kept in zip(without[-1], way[-1], strict=True)]
        curves.append(Curve(name, scales, lost, dots=True))
    return chart(
        "What 1000 steps of decay take from a weight of 1",
        curves,
        Axis("size of its gradients", log=True),
        Axis("taken by decay", log=True),
    )


def sparse() -> str:
    """How far weights come whose gradient is rarely there."""
    every = [1, 2, 5, 10, 20, 50, 100]
    curves = []
    for name, make in (
        ("AdaGrad", lambda p: adamas.Adagrad(p, lr=0.1)),
        ("Adam", lambda p: adamas.Adam(p, lr=0.004)),
        ("SGD", lambda p: adamas.SGD(p, lr=0.004)),
    ):
        told = lambda x, t: torch.tensor([float(t % n == 0) for n in every], dtype=torch.float64)  # noqa: E731
        way = walk(make, [0.0] * len(every), told, 1000)
        curves.append(Curve(name, every, [-value for value in way[-1]], dots=True))
    return chart(
        "Way of a weight after 1000 steps, its gradient being 1 or absent",
        curves,
        Axis("a gradient at every nth step", log=True),
        Axis("way", log=True),
    )


def noise() -> str:
    """The noise floor of SGD: what is left after many steps, over the learning rate."""
    rates = [10.0 ** (-3 + at / 4) for at in range(10)]
    curves = []
    for name, batch in (("batch of 1", 1), ("batch of 16", 16)):
        floors = []
        for lr in rates:
            generator = torch.Generator().manual_seed(0)
            p = torch.nn.Parameter(torch.zeros(400, dtype=torch.float64))
            optimizer = adamas.SGD([p], lr=lr)
            late = []
            for t in range(int(10 / lr) + 100):
                random = torch.randn(400, generator=generator, dtype=torch.float64) / math.sqrt(batch)
                p.grad = p.detach() + random
                optimizer.step()
                if t > 4 / lr:
                    late.append(p.detach().square().mean().item() / 2)
            floors.append(sum(late) / len(late))
        curves.append(Curve(name, rates, floors, dots=True))
    theory = [rate / (2 * (2 - rate)) for rate in rates]
    curves.append(Curve("lr / (2 (2 - lr)), and a 16th", rates, theory, dashed=True))
    curves.append(Curve("", rates, [each / 16 for each in theory], dashed=True))
    return chart(
        "Loss that noise keeps up: gradients of x² / 2 with noise of 1",
        curves,
        Axis("learning rate", log=True),
        Axis("loss that stays", log=True),
    )
