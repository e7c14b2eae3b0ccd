"""Pictures about models: small ones, trained on scikit-learn's digits or on sequences made up here."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import adamas
from tools.concepts.draw import Axis, Curve, bars, chart, charts, images


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 1797 pictures of 64 pixels in 0..1, and which digits they are."""
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.tensor(pixels / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]


def squares(rows: torch.Tensor) -> list[list[list[float]]]:
    """Return rows of 64 numbers as 8 x 8 pictures."""
    return rows.detach().clamp(0, 1).view(-1, 8, 8).tolist()


def train(
    model: nn.Module, optimizer: adamas.Optimizer, steps: int, batch: int = 64, seed: int = 0
) -> list[tuple[int, float]]:
    """Train a classifier of digits; return the loss on 500 pictures that it does not see, every ten steps."""
    x, y = digits()
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(steps + 1):
        if step % 10 == 0:
            model.eval()
            with torch.no_grad():
                losses.append((step, functional.cross_entropy(model(x[:500]), y[:500]).item()))
            model.train()
        chosen = torch.randint(500, len(x), (batch,), generator=generator)
        optimizer.zero_grad()
        functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return losses


def perceptron(activation: Callable[[], nn.Module] = nn.ReLU, norm: bool = False, depth: int = 2) -> nn.Sequential:
    """Return a net of hidden layers of 64."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(64, 64), *([nn.BatchNorm1d(64)] if norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def hyper_parameters() -> str:
    """The loss after 150 steps over the learning rate."""
    start = perceptron()
    curves = []
    for name, make, low in (
        ("Adam", lambda p, lr: adamas.Adam(p, lr=lr), -4.5),
        ("SGD", lambda p, lr: adamas.SGD(p, lr=lr), -3.0),
        ("SGD, momentum 0.9", lambda p, lr: adamas.SGD(p, lr=lr, momentum=0.9), -3.5),
    ):
        rates = [10 ** (low + at / 3) for at in range(11)]
        ends = []
        for lr in rates:
            model = copy.deepcopy(start)
            end = train(model, make(model.parameters(), lr), 150)[-1][1]
            ends.append(min(end, 10.0) if math.isfinite(end) else 10.0)
        curves.append(Curve(name, rates, ends, dots=True))
    x, y = Axis("learning rate", log=True), Axis("test loss after 150 steps", log=True, ends=(0.07, 4.0))
    return chart("One number to tune, above all", curves, x, y)


def activations() -> str:
    """The size of each layer's gradient in a deep net at its start."""
    curves = []
    x, y = digits()
    for name, activation in (("sigmoid", nn.Sigmoid), ("tanh", nn.Tanh), ("ReLU", nn.ReLU), ("GELU", nn.GELU)):
        torch.manual_seed(0)
        model = perceptron(activation, depth=10)
        linear = [layer for layer in model if isinstance(layer, nn.Linear)]
        for layer in linear:
            nn.init.xavier_normal_(layer.weight)
        functional.cross_entropy(model(x[:256]), y[:256]).backward()
        norms = [layer.weight.grad.norm().item() for layer in linear if layer.weight.grad is not None]
        curves.append(Curve(name, list(range(1, 12)), norms, dots=True))
    x_axis = Axis("layer, 1 being nearest to the pixels")
    return chart("Gradients on their way back through eleven layers", curves, x_axis, Axis("norm", log=True))


def adapters() -> str:
    """Trained numbers and optimizer state of ways to fine-tune a small transformer."""
    layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), nn.Linear(256, 2))
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    matrices = [p.shape for name, p in model.named_parameters() if p.dim() == 2 and name.startswith("0")]
    ways = {
        "all weights": sum(sizes.values()),
        "adapters of 16": 6 * (2 * 256 * 16 + 16 + 256) + 2 * 257,
        "LoRA, rank 8": sum(8 * (rows + columns) for rows, columns in matrices) + 2 * 257,
        "the head alone": 2 * 257,
    }
    groups: list[tuple[str, list[tuple[str, float]]]] = []
    for name, bytes_each in (("AdamW, float32 moments", "float32"), ("AdamW, int8 moments", "int8")):
        found = []
        for way, count in ways.items():
            report = adamas.memory_report(adamas.AdamW([nn.Parameter(torch.empty(count, device="meta"))]))
            states = next(each.states for each in report.choices if each.choice == bytes_each)
            found.append((way, states / 2**20))
        groups.append((name, found))
    return bars(f"Optimizer state of a transformer of {ways['all weights'] / 1e6:.1f} million weights", groups, "MiB")


def attention() -> str:
    """What a layer of attention looks at that has learned to find the last place of the same letter."""
    torch.manual_seed(1)
    letters, length, width = 12, 24, 48
    embed = nn.Embedding(letters, width)
    q, k, v, out = (nn.Linear(width, width) for _ in range(4))
    head = nn.Linear(width, letters)
    # From equal queries and keys it learns to look for the same letter; from others, often to avoid it and to count.
    k.load_state_dict(q.state_dict())
    mask = torch.ones(length, length).triu(0).bool()
    mask[0, 0] = False

    def forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # A key is a letter, its value the letter after it; a query is a letter that looks for itself.
        h = embed(x)
        following = embed(torch.roll(x, -1, 1))
        scores = (q(h) @ k(h).transpose(1, 2) / math.sqrt(width)).masked_fill(mask, -math.inf)
        weights = scores.softmax(-1)
        return head(out(weights @ v(following))), weights

    optimizer = adamas.AdamW([p for m in (embed, q, k, v, out, head) for p in m.parameters()], lr=3e-3)
    generator = torch.Generator().manual_seed(0)

    def batch(size: int) -> torch.Tensor:
        half = torch.stack([torch.randperm(letters, generator=generator) for _ in range(size)])
        return torch.cat((half, half), 1)

    for _ in range(400):
        x = batch(64)
        loss = functional.cross_entropy(forward(x)[0][:, 12:-1].flatten(0, 1), x[:, 13:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = forward(batch(1))[1][0].tolist()
    return images("Attention in a text that repeats itself after 12 letters", [("", [weights])], 330)


def autoencoders() -> str:
    """Digits through a waist of 8 numbers."""
    x, _ = digits()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8), nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64), nn.Sigmoid()
    )
    optimizer = adamas.Adam(model.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    rows = [("pixels", squares(x[:10]))]
    for step in range(3001):
        if step in (30, 300, 3000):
            rows.append((f"after {step} steps", squares(model(x[:10]))))
        chosen = torch.randint(500, len(x), (64,), generator=generator)
        optimizer.zero_grad()
        functional.binary_cross_entropy(model(x[chosen]), x[chosen]).backward()
        optimizer.step()
    return images("Digits it never saw, through 8 numbers", rows)


def backpropagation() -> str:
    """The error of difference quotients, measured by the gradient of backpropagation."""
    x, y = digits()
    torch.manual_seed(0)
    model = perceptron(nn.Tanh).double()
    loss = lambda: functional.cross_entropy(model(x[:64].double()), y[:64])  # noqa: E731
    loss().backward()
    p = next(model.parameters())
    assert p.grad is not None
    widths = [10.0 ** (-at / 2) for at in range(2, 25)]
    one, two = [], []
    with torch.no_grad():
        direction = torch.randn_like(p)
        slope, here, start = (p.grad * direction).sum().item(), loss().item(), p.clone()
        for width in widths:
            ahead = loss_at(p, start + width * direction, loss)
            behind = loss_at(p, start - width * direction, loss)
            one.append(abs((ahead - here) / width / slope - 1))
            two.append(abs((ahead - behind) / (2 * width) / slope - 1))
    curves = [Curve("one-sided", widths, one, dots=True), Curve("two-sided", widths, two, dots=True)]
    return chart(
        "Difference quotients against backpropagation, in float64",
        curves,
        Axis("width of the difference", log=True),
        Axis("relative error", log=True),
    )


def loss_at(p: torch.Tensor, value: torch.Tensor, loss: Callable[[], torch.Tensor]) -> float:
    """Return the loss with other weights."""
    p.copy_(value)
    return loss().item()


def batch_norm() -> str:
    """Losses with and without batch norm, at a modest and at a high learning rate."""
    panels = []
    for lr in (0.1, 1.0):
        curves = []
        for name, norm in (("with batch norm", True), ("without", False)):
            torch.manual_seed(0)
            model = perceptron(norm=norm, depth=3)
            points = train(model, adamas.SGD(model.parameters(), lr=lr), 200)
            curves.append(Curve(name, [step for step, _ in points], [loss for _, loss in points]))
        panels.append((f"SGD, learning rate {lr}", curves, Axis("step"), Axis("test loss", log=True, ends=(0.08, 4.0))))
    return charts("Three hidden layers with and without batch norm", panels)


def batch_size() -> str:
    """Steps and examples to a loss, over the batch size, each at the best of several learning rates."""
    sizes = [2**power for power in range(2, 10)]
    start = perceptron(depth=1)
    needed = [min(steps_to(copy.deepcopy(start), size, lr) for lr in (3e-3, 1e-2, 3e-2)) for size in sizes]
    ideal = [needed[0] * sizes[0] / size for size in sizes]
    steps = [
        Curve("measured", sizes, needed, dots=True),
        Curve("twice the batch, half the steps", sizes, ideal, dashed=True),
    ]
    examples = [Curve("measured", sizes, [count * size for count, size in zip(needed, sizes, strict=True)], dots=True)]
    x = Axis("batch size", log=True)
    return charts(
        "What a larger batch buys",
        [
            ("Steps to a test loss of 0.25", steps, x, Axis("steps", log=True)),
            ("Examples", examples, x, Axis("", log=True)),
        ],
    )


def steps_to(model: nn.Module, batch: int, lr: float, target: float = 0.25) -> float:
    """Return the first of every ten steps, over the mean of two seeds, at which the loss is below a target."""
    counts = []
    for seed in (0, 1):
        twin = copy.deepcopy(model)
        points = train(twin, adamas.Adam(twin.parameters(), lr=lr), 600, batch, seed)
        counts.append(next((step for step, loss in points if loss < target), 10**6))
    return sum(counts) / len(counts)


def boltzmann() -> str:
    """Samples of a Boltzmann machine after 0, 1, 10 and 1000 steps of Gibbs sampling from noise."""
    x, _ = digits()
    generator = torch.Generator().manual_seed(0)
    w = nn.Parameter(0.01 * torch.randn(64, 96, generator=generator))
    a, b = nn.Parameter(torch.zeros(64)), nn.Parameter(torch.zeros(96))
    optimizer = adamas.Adam([w, a, b], lr=3e-3)
    toss = lambda p: torch.bernoulli(p, generator=generator)  # noqa: E731
    gibbs = lambda v: torch.sigmoid(toss(torch.sigmoid(v @ w + b)) @ w.t() + a)  # noqa: E731
    energy = lambda v: -(v @ a) - functional.softplus(v @ w + b).sum(1)  # noqa: E731
    chains = toss(torch.full((128, 64), 0.5))
    for _ in range(4000):
        seen = toss(x[torch.randint(500, len(x), (128,), generator=generator)])
        with torch.no_grad():
            chains = toss(gibbs(chains))
        optimizer.zero_grad()
        (energy(seen).mean() - energy(chains).mean()).backward()
        optimizer.step()
    rows: list[tuple[str, Sequence[Sequence[Sequence[float]]]]] = [("data", squares(x[:10]))]
    with torch.no_grad():
        v = toss(torch.full((10, 64), 0.5))
        for step in range(1001):
            if step in (0, 1, 10, 1000):
                rows.append((f"after {step} sweep{'' if step == 1 else 's'}", squares(gibbs(v) if step else v)))
            v = toss(gibbs(v))
    return images("What a Boltzmann machine believes digits to be", rows)
