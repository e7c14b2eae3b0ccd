"""How gradients flow through a stack of layers, and which of its units are dead."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch

DEAD = 1e-3
"""A unit whose slope is at most this share of a straight line's on every example learns nothing."""


def weight_gradients(model: nn.Module, batch: Batch) -> list[float]:
    """Root mean square of the cross entropy's gradient for each weight matrix, from the first layer to the last.

    Example:
        >>> batch = torch.ones(4, 3), torch.tensor([0, 1, 0, 1])
        >>> len(weight_gradients(nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)), batch))
        2
    """
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    inputs, labels = batch
    gradients = torch.autograd.grad(functional.cross_entropy(model(inputs), labels), weights)
    return [gradient.square().mean().sqrt().item() for gradient in gradients]


def dead_shares(model: nn.Sequential, activation: type[nn.Module], inputs: Tensor) -> list[float]:
    """Share of units in each activation layer whose slope is next to nothing on all of these inputs.

    Example:
        >>> layer = nn.Linear(1, 4)
        >>> layer.weight.data = torch.tensor([[1.0], [-1.0], [1.0], [1.0]])
        >>> layer.bias.data = torch.tensor([0.0, 0.0, -9.0, 9.0])
        >>> dead_shares(nn.Sequential(layer, nn.ReLU()), nn.ReLU, torch.tensor([[0.5], [2.0]]))
        [0.5]
    """
    shares = []
    signal = inputs
    for layer in model:
        if isinstance(layer, activation):
            before = signal.detach().requires_grad_()
            [slopes] = torch.autograd.grad(layer(before).sum(), before)
            shares.append((slopes.abs() <= DEAD).all(0).double().mean().item())
        signal = layer(signal)
    return shares


def layer_names(count: int) -> Sequence[str]:
    """Names for the layers of a stack.

    Example:
        >>> layer_names(2)
        ('layer 1', 'layer 2')
    """
    return tuple(f"layer {number}" for number in range(1, count + 1))
