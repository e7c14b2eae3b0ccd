"""Parameter groups: every parameter once, decay where it belongs, lr by layer; on models of known structure."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

import adamas


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 1)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.layer_scale = nn.Parameter(torch.ones(width))


class MyRMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, width))


class Transformer(nn.Module):
    """A vision transformer and a language model in one, for the sake of their parameters."""

    def __init__(self, layers: int = 3, width: int = 4, words: int = 7) -> None:
        super().__init__()
        self.tokens = nn.Embedding(words, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, width))
        self.patches = nn.Conv2d(3, width, 2)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.norm = MyRMSNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.temperature = nn.Parameter(torch.tensor(1.0))


def settings(groups: Any, key: str) -> dict[str, Any]:
    return {name: group.get(key) for group in groups for name, _ in group["params"]}


DECAYS = {"patches.weight", "head.weight"} | {
    f"blocks.{n}.{name}"
    for n in range(3)
    for name in ("attention.in_proj_weight", "attention.out_proj.weight", "mlp.0.weight", "mlp.2.weight")
}


def test_matrices_decay_and_nothing_else():
    model = Transformer()
    decay = settings(adamas.param_groups(model, 0.1), "weight_decay")
    assert {name for name, value in decay.items() if value} == DECAYS
    assert set(decay) == {name for name, _ in model.named_parameters()}
    assert set(decay.values()) == {0.1, 0.0}


def test_batch_norms_and_embedding_bags_do_not_decay():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.EmbeddingBag(3, 2), nn.LSTM(2, 2))
    decay = settings(adamas.param_groups(model, 0.1), "weight_decay")
    assert {name for name, value in decay.items() if value} == {"0.weight", "3.weight_ih_l0", "3.weight_hh_l0"}


def test_transformers_models_are_understood():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=11, hidden_size=4, num_hidden_layers=2, num_attention_heads=1, intermediate_size=4
    )
    model = transformers.BertForMaskedLM(config)
    groups = adamas.param_groups(model, 0.1, lr=1.0, layer_decay=0.5)
    decay, lr = settings(groups, "weight_decay"), settings(groups, "lr")
    undecayed = {name for name, value in decay.items() if not value}
    assert undecayed == {n for n in decay if n.endswith("bias") or "LayerNorm" in n or "embeddings" in n}
    assert lr["bert.embeddings.word_embeddings.weight"] == 0.125  # tied to the decoder, once
    assert lr["bert.encoder.layer.0.output.dense.weight"] == 0.25
    assert lr["bert.encoder.layer.1.output.dense.weight"] == 0.5
    assert lr["cls.predictions.transform.dense.weight"] == 1.0


def test_tied_weights_are_in_once_under_all_of_their_names():
    model = Transformer()
    model.head.weight = model.tokens.weight
    groups = adamas.param_groups(model, 0.1, overrides={"head": {"lr": 0.5}})
    names = [name for group in groups for name, _ in group["params"]]
    assert len(names) == len(set(names)) == len(list(model.parameters()))
    assert "head.weight" not in names
    assert settings(groups, "weight_decay")["tokens.weight"] == 0.0
    assert settings(groups, "lr")["tokens.weight"] == 0.5
    assert "tokens.weight = head.weight" in str(groups)


def test_equal_groups_are_merged():
    groups = adamas.param_groups(Transformer(), 0.1, overrides={"blocks.*": {"lr": 0.5}, "blocks.1": {"lr": 0.25}})
    found = [(group["weight_decay"], group.get("lr")) for group in groups]
    assert len(found) == len(set(found)) == 6
    same = adamas.param_groups(Transformer(), 0.0)
    assert len(same) == 1


@pytest.mark.parametrize("no_decay", [[], ["*.bias", "norm", "tokens"]], ids=["none", "patterns"])
def test_patterns_instead_of_auto(no_decay: list[str]):
    model = Transformer()
    decay = settings(adamas.param_groups(model, 0.1, no_decay), "weight_decay")
    exempt = {name for name in decay if name.endswith(".bias") or name.split(".")[0] in ("norm", "tokens")}
    assert {name for name, value in decay.items() if not value} == (exempt if no_decay else set())


def test_the_lr_falls_layer_by_layer():
    lr = settings(adamas.param_groups(Transformer(), 0.1, lr=1.0, layer_decay=0.5), "lr")
    first = {name: value for name, value in lr.items() if not name.startswith(("blocks", "norm", "head"))}
    # The temperature is no input, but is registered with the input's parameters: modules are named after them.
    assert first == {
        name: 0.0625 for name in ("tokens.weight", "pos_embed", "temperature", "patches.weight", "patches.bias")
    }
    for n in range(3):
        assert {value for name, value in lr.items() if name.startswith(f"blocks.{n}.")} == {0.5 ** (3 - n)}
    assert lr["head.weight"] == lr["norm.gain"] == 1.0


MODELS = {
    "stages": (
        nn.Sequential(
            nn.Conv2d(3, 4, 1),
            nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
            nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
        ),
        {"0.weight": 0, "1.0.weight": 1, "1.1.weight": 2, "2.0.weight": 3},
    ),
    "unlike": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(2, 2)), {"0.weight": 0, "2.weight": 1}),
}


@pytest.mark.parametrize(("model", "depth"), MODELS.values(), ids=MODELS)
def test_layers_of_other_models(model: nn.Module, depth: dict[str, int]):
    lr = settings(adamas.param_groups(model, 0.1, lr=1.0, layer_decay=0.5), "lr")
    top = max(depth.values())
    assert {name: lr[name] for name in depth} == {name: 0.5 ** (top - d) for name, d in depth.items()}


def test_frozen_parameters_are_shown_but_left_out():
    model = Transformer()
    model.tokens.requires_grad_(False)
    groups = adamas.param_groups(model, 0.1)
    assert "tokens.weight" not in settings(groups, "lr")
    assert "left out: requires no gradient" in str(groups)


ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "override": ({"overrides": {"*.haed": {"lr": 1.0}}}, r"no parameter or module is called '\*\.haed'; there are"),
    "no_decay": ({"no_decay": ["bais"]}, "no_decay: no parameter or module is called 'bais'"),
    "word": ({"no_decay": "all"}, "no_decay must be 'auto' or a list"),
    "layer_decay": ({"layer_decay": 1.5, "lr": 1.0}, r"layer_decay must be in \(0, 1\]"),
    "no lr": ({"layer_decay": 0.5}, "give lr"),
    "decay": ({"weight_decay": -1.0}, "weight_decay must be >= 0"),
    "members": ({"overrides": {"head": {"params": []}}}, "must not name 'params'"),
}


@pytest.mark.parametrize(("arguments", "words"), ERRORS.values(), ids=ERRORS)
def test_mistakes_are_named(arguments: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        adamas.param_groups(Transformer(), **{"weight_decay": 0.1, **arguments})


def test_a_misspelt_setting_is_an_error_of_the_optimizer():
    groups = adamas.param_groups(Transformer(), 0.1, overrides={"head": {"weigth_decay": 0.0}})
    with pytest.raises(ValueError, match="weigth_decay"):
        adamas.AdamW(groups)


def test_an_optimizer_takes_them_and_its_checkpoint_goes_by_name():
    model = Transformer()
    optimizer = adamas.AdamW(adamas.param_groups(model, 0.1), lr=0.01)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    other = Transformer()
    again = adamas.AdamW(adamas.param_groups(other, 0.5, overrides={"head": {"lr": 0.5}}), lr=0.01)
    again.load_state_dict(optimizer.state_dict(), hyperparameters="keep")
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(again.state[q]["exp_avg"], optimizer.state[p]["exp_avg"])


def test_the_table_shows_every_fate_with_rich_and_without():
    rich = pytest.importorskip("rich.console")
    groups = adamas.param_groups(Transformer(), 0.1, overrides={"head": {"lr": 0.5}})
    console = rich.Console(width=160, record=True, file=io.StringIO())
    console.print(groups)
    for text in (console.export_text(), str(groups)):
        for name, p in Transformer().named_parameters():
            assert name in text, name
            assert " x ".join(map(str, p.shape)) in text
        assert "decays; overridden by head" in text
        assert f"{len(groups.fates)} parameters in {len(groups)} groups" in text


def test_rich_is_not_needed():
    code = (
        "import sys; sys.modules['rich'] = None; import torch, adamas; "
        "print(adamas.param_groups(torch.nn.Linear(2, 1), 0.1))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "name matches *bias*" in shown
