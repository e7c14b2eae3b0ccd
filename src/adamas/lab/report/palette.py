"""One colour per optimizer, the same in every chart and report; legible on light and dark paper."""

_COLOURS = {
    "sgd": "#7b8494",
    "momentum": "#2f7fc1",
    "nesterov": "#16598f",
    "adagrad": "#c98a1b",
    "rmsprop": "#2f9e77",
    "adam": "#cf4a42",
    "adamw": "#8a5cc2",
    "amsgrad": "#d9719a",
    "adamax": "#9b6a3f",
    "nadam": "#dd6b2b",
    "radam": "#708f2c",
    "lion": "#1c98a6",
}
_OTHERS = ("#5b6ee1", "#b0508e", "#4f8a5b", "#a8703a")

SERIES = ("#cf4a42", "#2f7fc1", "#c98a1b", "#2f9e77", "#8a5cc2", "#1c98a6", "#d9719a", "#708f2c", "#9b6a3f", "#7b8494")
"""Colours for whatever is no optimizer, in the order in which they are to be used."""

PICTURES = ("#4a5bd0", "#9aa5e8", *SERIES[2:])
"""The same for pictures of a model, which stand beside charts of optimizers: the first are no optimizer's."""

# Without weight decay to speak of AdamW lies on top of Adam; dashes let both be seen.
_DASHES = {"adamw": "dash", "amsgrad": "dot", "nesterov": "dash"}


def colour(optimizer: str) -> str:
    """The colour of an optimizer, as a CSS hexadecimal colour.

    Example:
        >>> colour("adam")
        '#cf4a42'
    """
    return _COLOURS.get(optimizer) or _OTHERS[sum(optimizer.encode()) % len(_OTHERS)]


def translucent(colour: str, opacity: float) -> str:
    """A hexadecimal colour with an opacity, for bands.

    Example:
        >>> translucent("#cf4a42", 0.1)
        'rgba(207,74,66,0.1)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def dash(optimizer: str) -> str:
    """The dash style of an optimizer's lines."""
    return _DASHES.get(optimizer, "solid")
