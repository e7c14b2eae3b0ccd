"""torch.compile changes no number of a step, and compiles nothing again when lr changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch._dynamo as dynamo

import adamas

from ..core.catalog import same_bits

OPTIMIZERS: dict[str, Callable[..., adamas.Optimizer]] = {
    "AdamW": adamas.AdamW,
    "SGD": lambda params, **more: adamas.SGD(params, momentum=0.9, **more),
    "NAdam": adamas.NAdam,
    "int8": lambda params, **more: adamas.AdamW(params, state_format="int8", clip_norm=1.0, **more),
}


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    dynamo.reset()
    dynamo.utils.counters.clear()
    yield
    dynamo.reset()


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def compiled(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    return torch.compile(function, backend="aot_eager", **more)


def trained(
    make: Callable[..., adamas.Optimizer], wrap: Callable[..., Any], of: str, **more: Any
) -> list[torch.Tensor]:
    """Train with a schedule, the step alone or the whole of a train step compiled; return the weights."""
    net = model()
    optimizer = make(net.parameters(), lr=1e-2, **more)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    def backward(x: torch.Tensor) -> None:
        optimizer.zero_grad()
        net(x).square().mean().backward()

    def whole(x: torch.Tensor) -> None:
        backward(x)
        optimizer.step()

    step = wrap(optimizer.step) if of == "step" else None
    train = wrap(whole) if of == "train" else whole
    generator = torch.Generator().manual_seed(1)
    for _ in range(6):
        x = torch.randn(4, 6, generator=generator)
        if step is not None:
            backward(x)
            step()
        else:
            train(x)
        schedule.step()
    return [p.detach() for p in net.parameters()]


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("of", ["step", "train"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_same_numbers(name: str, of: str, engine: str) -> None:
    plain = trained(OPTIMIZERS[name], lambda function: function, of, engine=engine)
    ours = trained(OPTIMIZERS[name], compiled, of, engine=engine)
    if of == "step":
        assert all(map(same_bits, ours, plain))
    for a, b in zip(ours, plain, strict=True):  # compiled gradients may be added up in another order
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_a_new_lr_compiles_nothing() -> None:
    counts = []

    def count(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        counts.append(len(graph.graph.nodes))
        return graph.forward

    trained(adamas.AdamW, lambda function: torch.compile(function, backend=count), "step")
    assert counts == []
    assert dynamo.utils.counters["stats"].get("unique_graphs", 0) == 0
    trained(adamas.AdamW, lambda function: torch.compile(function, backend=count), "train")
    assert len(counts) <= 2  # what it is made of, never again as the rate falls
    assert dynamo.utils.counters["stats"]["unique_graphs"] == len(counts)


def test_a_closure_and_hooks() -> None:
    results = []
    for wrap in (lambda function: function, compiled):
        net, seen = model(), list[int]()
        optimizer = adamas.SGD(net.parameters(), lr=0.1)
        optimizer.register_step_post_hook(lambda *_: seen.append(1))  # noqa: B023

        def closure() -> torch.Tensor:
            optimizer.zero_grad()  # noqa: B023
            loss = net(torch.ones(2, 6)).sum()  # noqa: B023
            loss.backward()
            return loss

        step = wrap(lambda: optimizer.step(closure))  # noqa: B023
        losses = [step().item() for _ in range(3)]
        results.append((losses, seen))
    assert results[0] == results[1]


@pytest.mark.parametrize("how", [{}, {"accumulate": 2}])
def test_released_gradients_of_a_compiled_model(how: dict[str, Any]) -> None:
    """Backward of a compiled model runs the hooks that step, and its weights are those of the plain one."""
    results = []
    for wrap in (lambda net: net, compiled):
        net = model()
        optimizer = adamas.AdamW(net.parameters(), lr=1e-2)
        handle = optimizer.release(net, **how)
        forward, generator = wrap(net), torch.Generator().manual_seed(1)
        for _ in range(4):
            for _ in range(how.get("accumulate", 1)):
                forward(torch.randn(4, 6, generator=generator)).square().mean().backward()
            optimizer.step()
            assert all(p.grad is None for p in net.parameters())
        assert handle.steps == 4
        results.append([p.detach() for p in net.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_rows_are_caught_up_before_a_compiled_forward() -> None:
    """The hook that `attach` puts before an embedding's forward does its work when that is compiled."""
    results = []
    for wrap in (lambda net: net, lambda net: torch.compile(net, backend="eager")):
        torch.manual_seed(0)
        words = torch.nn.Embedding(50, 4, sparse=True)
        optimizer = adamas.AdamW(words.parameters(), lr=0.1, sparse="exact")
        optimizer.attach(words)
        forward, seen = wrap(words), []
        for row in (1, 2, 3, 1, 2, 2, 1):
            out = forward(torch.tensor([row, 4]))
            seen.append(out.detach().clone())
            out.square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        results.append([*seen, words.weight.detach()])
    for a, b in zip(*results, strict=True):
        assert same_bits(a, b)
    assert not same_bits(results[0][0], results[0][3])
