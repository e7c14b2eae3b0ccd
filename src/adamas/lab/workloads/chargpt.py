"""A small GPT over characters of Python's own reference (Radford and others 2018)."""

import math
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch, Data
from adamas.lab.data.texts import bible, pydoc
from adamas.lab.pictures import Picture, matrix
from adamas.lab.workloads.base import Base

CONTEXT = 64
"""Characters a prediction may look back on."""

WIDTH, HEADS, LAYERS = 64, 4, 2


class CharGPT(nn.Module):
    """Characters and their places as vectors, causal transformer layers, logits of the next character.

    Args:
        characters: how many different ones there are.
    """

    def __init__(self, characters: int):
        super().__init__()
        self.characters = nn.Embedding(characters, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, characters)

    def forward(self, text: Tensor) -> Tensor:
        """Logits of the character after each one of `text`, (batch, length, characters), in float32."""
        signal = self.characters(text) + self.places.weight[: text.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(text.shape[1], dtype=signal.dtype)
        for layer in self.layers:
            signal = layer(signal, src_mask=mask, is_causal=True)
        return self.head(self.norm(signal)).float()

    def attention(self, text: Tensor) -> list[Tensor]:
        """For each layer, what every character of one text attends to, (heads, length, length)."""
        maps: list[Tensor] = []
        signal = self.characters(text[None]) + self.places.weight[: len(text)]
        mask = nn.Transformer.generate_square_subsequent_mask(len(text), dtype=signal.dtype)
        for layer in self.layers:
            assert isinstance(layer, nn.TransformerEncoderLayer)
            normal = layer.norm1(signal)
            weights = layer.self_attn(normal, normal, normal, attn_mask=mask, average_attn_weights=False)[1]
            maps.append(weights[0].detach())
            signal = layer(signal, src_mask=mask, is_causal=True)
        return maps

    @torch.no_grad()
    def write(self, start: Tensor, length: int) -> Tensor:
        """Goes on after `start` by `length` characters, each drawn from what is predicted."""
        text = start
        for _ in range(length):
            odds = self(text[None, -CONTEXT:])[0, -1].softmax(0)
            text = torch.cat([text, torch.multinomial(odds, 1)])
        return text


@cache
def characters(name: str) -> tuple[str, Tensor]:
    """The characters that occur in `pydoc` or `bible`, sorted, and the text as their numbers."""
    text = pydoc() if name == "pydoc" else bible()
    known = "".join(sorted(set(text)))
    numbers = {character: number for number, character in enumerate(known)}
    return known, torch.tensor([numbers[character] for character in text])


class CharacterModel(Base):
    """Predicts the next character; the last tenth of the text is there to test with.

    The variant `bfloat16` reads `pydoc`, with weights and signals of 16 bits.
    """

    variants = ("pydoc", "bible", "bfloat16")
    batch_size = 32
    steps = 600
    eval_every = 50
    target = 2.6
    # The best of the opening of `adamas tune chargpt --budget 5 --seeds 1`; for momentum, the largest that was tried.
    learning_rates: ClassVar[dict[str, float]] = {"sgd": 0.32, "momentum": 0.3, "adam": 0.0095, "adamw": 0.0095}
    metric_name = "accuracy of the next character"

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self._text = "bible" if self.variant == "bible" else "pydoc"
        half = " in bfloat16" * (self.variant == "bfloat16")
        self.title = f"Character GPT{half} on {self._text}, bits per character"

    def data(self) -> Data:
        """Pieces of text one character longer than the context; probes of 128 of them."""
        _, text = characters(self._text)
        cut = len(text) * 9 // 10
        # Pieces overlap by half, so that no character always stands at the same place.
        train, test = (part.unfold(0, CONTEXT + 1, CONTEXT // 2) for part in (text[:cut], text[cut:]))
        spread = torch.linspace(0, len(train) - 1, 128).long()
        return Data(train=(train,), test=(test[torch.linspace(0, len(test) - 1, 128).long()],), probe=(train[spread],))

    def model(self) -> nn.Module:
        """Two layers of width 64 with four heads; about 117,000 parameters."""
        model = CharGPT(len(characters(self._text)[0]))
        return model.bfloat16() if self.variant == "bfloat16" else model

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy in bits per character."""
        text = batch[0]
        logits = model(text[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()) / math.log(2)

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """Share of characters that were the most likely ones."""
        text = batch[0]
        return (model(text[:, :-1]).argmax(2) == text[:, 1:]).double().mean().item()

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """Attention of every head on a piece of text, and text it writes."""
        assert isinstance(model, CharGPT)
        known, _ = characters(self._text)
        piece = data.test[0][0, :32]
        names = tuple(known[number] for number in piece)
        maps = [
            Picture(
                kind="heatmap",
                title=f"Attention, layer {layer}, head {head}",
                caption="Each row is a character, and says how much it looks at the ones before it.",
                values=matrix(weights.round(decimals=2)),
                rows=names,
                columns=names,
            )
            for layer, heads in enumerate(model.attention(piece), start=1)
            for head, weights in enumerate(heads[:2], start=1)
        ]
        written = "".join(known[number] for number in model.write(piece, 400))
        told = Picture(kind="text", title="Written by the model", caption="It goes on from a line.", texts=(written,))
        return [told, *maps]
