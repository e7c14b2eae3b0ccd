"""Parameters of every kind: complex, empty, of several types in one group, of any layout."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import Parameter

from .following import assert_follows, watched
from .measure import assert_same_bits, copies, real
from .pairs import VARIANTS, every_engine, every_name, every_torch_variant, every_variant, ours, theirs
from .training import gradients, step, train, weights


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=["complex64", "complex128"])
@every_engine
@every_torch_variant
def test_complex_follows_torch(name: str, hyper: dict[str, Any], engine: str, dtype: torch.dtype):
    mine, other = weights(dtype=dtype), weights(dtype=dtype)
    grads = gradients(mine, steps=10)
    optimizer = ours(name, mine, engine, **hyper)
    train(optimizer, mine, grads)
    assert_follows(optimizer, mine, watched(theirs(name, other, **hyper), other, grads))


@every_engine
@every_variant
def test_a_complex_parameter_is_two_real_ones(name: str, hyper: dict[str, Any], engine: str):
    params = weights(dtype=torch.complex64)
    pairs = [Parameter(real(p).clone()) for p in params]
    grads = gradients(params, steps=5)
    train(ours(name, params, engine, **hyper), params, grads)
    train(ours(name, pairs, engine, **hyper), pairs, [[real(g) for g in gs] for gs in grads])
    assert_same_bits([real(p) for p in params], copies(pairs))


@every_engine
@every_variant
def test_types_and_shapes_in_one_group_do_not_meet(name: str, hyper: dict[str, Any], engine: str):
    """Each parameter of a mixed group gets the bits that it gets alone."""
    kinds = [
        ((5, 3), torch.float64),
        ((17,), torch.float32),
        ((), torch.float32),
        ((0,), torch.float32),
        ((4, 0, 2), torch.float64),
        ((9,), torch.bfloat16),
        ((2, 2, 2), torch.float16),
        ((3, 4), torch.complex64),
        ((1,), torch.float32),
    ]
    together = [weights([shape], dtype, seed=i)[0] for i, (shape, dtype) in enumerate(kinds)]
    alone = [Parameter(p.detach().clone()) for p in together]
    hyper = {**hyper, "eps": 1e-3} if name not in ("SGD", "Lion") else hyper  # 1e-8 is zero in float16
    grads = gradients(together, steps=4)
    train(ours(name, together, engine, rounding="nearest", **hyper), together, grads)
    for i, p in enumerate(alone):
        train(ours(name, [p], engine, rounding="nearest", **hyper), [p], [[gs[i]] for gs in grads])
    assert_same_bits(copies(together), copies(alone))


@every_engine
@every_name
def test_an_empty_parameter_has_an_empty_state(name: str, engine: str):
    params = weights([(0, 3)])
    optimizer = ours(name, params, engine, **({"momentum": 0.9} if name == "SGD" else {}))
    train(optimizer, params, gradients(params, steps=2))
    assert {tuple(value.shape) for value in optimizer.state[params[0]].values() if value.ndim} == {(0, 3)}


@every_engine
@every_variant
def test_a_large_parameter_is_its_pieces(name: str, hyper: dict[str, Any], engine: str):
    """The work is cut into blocks and shared among threads; no element may notice where."""
    whole = weights([(70_001,)])
    cuts = (0, 1, 5, 64, 4_099, 32_768, 70_001)
    pieces = [Parameter(whole[0].detach()[a:b].clone()) for a, b in pairwise(cuts)]
    grads = gradients(whole, steps=2)
    train(ours(name, whole, engine, **hyper), whole, grads)
    cut = [[g[a:b] for a, b in pairwise(cuts)] for (g,) in grads]
    train(ours(name, pieces, engine, **hyper), pieces, cut)
    assert_same_bits(whole[0].detach(), torch.cat(copies(pieces)))


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Tensor, Tensor, list[Tensor]]:
    """A parameter that is a view of a larger buffer, the buffer, and gradients of other layouts."""
    shape = draw(st.lists(st.integers(0, 5), min_size=0, max_size=4))
    buffer, view = draw(strided(shape))
    return buffer, view, [draw(strided(shape, expand=True))[1] for _ in range(3)]


@st.composite
def strided(draw: st.DrawFn, shape: list[int], expand: bool = False) -> tuple[Tensor, Tensor]:
    """A tensor of a shape: its dimensions in any order in memory, with gaps, perhaps repeated by stride 0."""
    order = draw(st.permutations(range(len(shape))))
    gaps = [draw(st.integers(1, 3)) for _ in shape]
    stored = [shape[d] * gaps[d] for d in order]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    buffer = torch.randn(stored, generator=generator)
    view = buffer.permute([order.index(d) for d in range(len(shape))])
    for d, gap in enumerate(gaps):
        view = view[(slice(None),) * d + (slice(None, None, gap),)]
    if expand and shape and min(shape) > 0:
        d = draw(st.integers(0, len(shape) - 1))
        view = view.narrow(d, 0, 1).expand(shape)
    assert list(view.shape) == shape
    return buffer, view


@every_engine
@settings(max_examples=120, deadline=None, derandomize=True)
@given(layout=layouts(), variant=st.sampled_from(VARIANTS))
def test_layout_changes_no_bit(engine: str, layout: tuple[Tensor, Tensor, list[Tensor]], variant: tuple):
    name, _, hyper = variant
    buffer, view, grads = layout
    plain = view.clone(memory_format=torch.contiguous_format)
    marked = buffer.clone()
    outside = torch.ones_like(buffer, dtype=torch.bool)
    outside.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(False)
    optimizer, expected = ours(name, [view], engine, **hyper), ours(name, [plain], engine, **hyper)
    for g in grads:
        view.grad = g
        plain.grad = g.clone(memory_format=torch.contiguous_format)
        optimizer.step()
        expected.step()
    assert_same_bits(view.contiguous(), plain)
    assert_same_bits(buffer[outside], marked[outside], "what lies between the parameter's elements")


@every_engine
@every_variant
def test_channels_last(name: str, hyper: dict[str, Any], engine: str):
    shape, memory_format = (2, 3, 4, 5), torch.channels_last
    plain = weights([shape])
    params = [Parameter(plain[0].detach().clone(memory_format=memory_format))]
    optimizer, expected = ours(name, params, engine, **hyper), ours(name, plain, engine, **hyper)
    for t, gs in enumerate(gradients(plain, steps=4)):
        params[0].grad = gs[0].clone(memory_format=memory_format if t % 2 else torch.contiguous_format)
        optimizer.step()
        step(expected, plain, gs)
    assert params[0].is_contiguous(memory_format=memory_format)
    assert_same_bits(params[0].detach().contiguous(), plain[0].detach())


@every_engine
@every_variant
def test_a_gradient_that_is_lazily_conjugated_or_negated(name: str, hyper: dict[str, Any], engine: str):
    """Such a tensor's memory holds other numbers than the tensor."""
    params, twins = weights(dtype=torch.complex64)[:1], weights(dtype=torch.complex64)[:1]
    parts, part_twins = weights()[:1], weights()[:1]
    optimizer = ours(name, params + parts, engine, **hyper)
    expected = ours(name, twins + part_twins, engine, **hyper)
    for (g,) in gradients(params, steps=3):
        params[0].grad, parts[0].grad = g.conj(), g.conj().imag
        assert params[0].grad.is_conj()
        assert parts[0].grad.is_neg()
        twins[0].grad, part_twins[0].grad = g.conj().resolve_conj(), -g.imag
        optimizer.step()
        expected.step()
    assert_same_bits(copies(params + parts), copies(twins + part_twins))


@every_engine
@every_name
def test_a_gradient_with_a_graph(name: str, engine: str):
    """After backward(create_graph=True) the gradients require gradients themselves."""
    params, twins = weights(), weights()
    for optimizer, ps in ((ours(name, params, engine), params), (ours(name, twins, engine), twins)):
        loss = sum((p**3).sum() for p in ps)
        assert isinstance(loss, Tensor)
        grads = torch.autograd.grad(loss, ps, create_graph=ps is params)
        for p, g in zip(ps, grads, strict=True):
            p.grad = g
        optimizer.step()
    assert_same_bits(copies(params), copies(twins))
