"""The depth of every parameter in a model, for learning rates that fall towards the input."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adamas.groups.deciding import Parameter


def depths(model: torch.nn.Module, params: Sequence[Parameter]) -> list[int]:
    """Return the depth of every parameter; the last layer has the largest.

    The layers are the children of the model's stacks: of a ``ModuleList`` or ``Sequential`` of two or more children of
    one class that have parameters (the blocks of a transformer, the stages of a ResNet); failing that, of any with two
    or more children that have parameters. Stacks inside of layers do not count. What comes before the first layer has
    depth 0 (embeddings, a stem), what comes after the last has the largest (a final norm, a head), what comes between
    two stacks belongs to the layer before it.

    Raises:
        ValueError: if the model has no layers.

    Example:
        >>> from adamas.groups.deciding import parameters
        >>> model = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in range(3)))
        >>> depths(model, parameters(model))
        [0, 1, 2]
    """
    layers = _layers(model, alike=True) or _layers(model, alike=False)
    if not layers:
        raise ValueError(
            f"layer_decay: {type(model).__name__} has no ModuleList or Sequential of layers; set the lr of its parts "
            f"by overrides instead"
        )
    at = [_layer_of(p.name, layers) for p in params]
    last = max(place for place, layer in enumerate(at) if layer is not None)
    first = min(place for place, layer in enumerate(at) if layer is not None)
    deep, found = 0, []
    for place, layer in enumerate(at):
        if place < first:
            deep = -1
        elif place > last:
            deep = len(layers)
        elif layer is not None:
            deep = layer
        found.append(deep)
    return [depth - min(found) for depth in found]


def _layers(model: torch.nn.Module, alike: bool) -> list[str]:
    """Return the paths of all layers, in order."""
    found: list[str] = []
    for path, module in model.named_modules():
        if any(_is_in(path, layer) for layer in found) or not isinstance(
            module, (torch.nn.ModuleList, torch.nn.Sequential)
        ):
            continue
        children = {name: child for name, child in module.named_children() if any(True for _ in child.parameters())}
        if len(children) > 1 and (not alike or len({type(child) for child in children.values()}) == 1):
            found += [f"{path}.{name}" if path else name for name in children]
    return found


def _layer_of(name: str, layers: Sequence[str]) -> int | None:
    return next((number for number, layer in enumerate(layers) if _is_in(name, layer)), None)


def _is_in(path: str, layer: str) -> bool:
    return path == layer or path.startswith(f"{layer}.")
