"""Language models; those that need the lab's own encoder share one that is trained briefly."""

import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import BertForMaskedLM

from adamas.lab import workloads
from adamas.lab.compare import spec
from adamas.lab.data import places
from adamas.lab.data.texts import docstrings
from adamas.lab.errors import LabError
from adamas.lab.streams import initialized_model
from adamas.lab.train import train
from adamas.lab.workloads import backbone, finetune
from adamas.lab.workloads.adapters import Adapted
from adamas.lab.workloads.chargpt import CharGPT, characters
from adamas.lab.workloads.mlm import IGNORED, bert_config, masked
from adamas.lab.workloads.tokens import MASK, PAD, halves, padded, pieces, tokenizer

STEPS = 150


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A folder in which the lab's own encoder is kept after 150 steps instead of a thousand."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADAMAS_DATA", str(folder))
        backbone.own(STEPS)
    return folder


@pytest.fixture
def own(pretrained, monkeypatch):
    monkeypatch.setenv("ADAMAS_DATA", str(pretrained))
    monkeypatch.setattr(backbone, "PRETRAINING_STEPS", STEPS)
    finetune.pretrained.cache_clear()
    yield
    finetune.pretrained.cache_clear()


def short(name, lr, steps, optimizer="adamw", seed=0):
    return spec(name, optimizer, seed, lr).model_copy(update={"steps": steps, "eval_every": steps})


def test_a_character_model_says_more_than_the_frequencies_of_characters():
    """Against the entropy of single characters: what any model without memory must pay."""
    workload = workloads.load("chargpt")
    [train_text] = workload.data().train
    counts = train_text.flatten().bincount().double()
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * shares.log2()).sum().item()
    result = train(short("chargpt", 0.005, 70))
    assert 1 < result.points[-1].train_loss < entropy - 0.3
    assert result.points[0].train_loss == pytest.approx(math.log2(len(characters("pydoc")[0])), rel=0.1)
    assert result.points[-1].test_metric > 1.5 * counts.max().item() / counts.sum().item()


def test_a_character_model_cannot_see_what_comes():
    workload = workloads.load("chargpt")
    model = initialized_model(workload, seed=0).eval()
    assert isinstance(model, CharGPT)
    text = workload.data().test[0][:2, :-1]
    changed = text.clone()
    changed[:, 40] = (changed[:, 40] + 1) % 10
    with torch.no_grad():
        before, after = model(text), model(changed)
    torch.testing.assert_close(before[:, :40], after[:, :40])
    assert not torch.allclose(before[:, 40:], after[:, 40:])


def test_attention_maps_are_what_the_layers_use():
    """Each row is a distribution over what came before, and heads made uniform show as uniform."""
    workload = workloads.load("chargpt")
    model = initialized_model(workload, seed=0).eval()
    assert isinstance(model, CharGPT)
    piece = workload.data().test[0][0, :12]
    with torch.no_grad():
        first, second = model.attention(piece)
        torch.testing.assert_close(first.sum(2), torch.ones(4, 12))
        assert (first.triu(1) == 0).all()
        assert not torch.allclose(first, second)
        # Queries of zero attend to all alike.
        model.get_parameter("layers.0.self_attn.in_proj_weight")[:64] = 0
        uniform = torch.tril(torch.ones(12, 12)) / torch.arange(1, 13)[:, None]
        torch.testing.assert_close(model.attention(piece)[0], uniform.expand(4, 12, 12))


def test_tokens_are_text_again():
    made = tokenizer("pydoc")
    text = "the assert statement raises an exception"
    assert made.decode(made.encode(text).ids).strip() == text
    assert made.get_vocab_size() == 1000
    rows = padded(made, ("the assert", "x " * 100), 6)
    assert rows.shape == (2, 6)
    assert (rows[0] == PAD).any()
    assert not (rows[1] == PAD).any()


def test_no_text_that_is_tested_with_is_pretrained_on():
    trained, tests = halves("pydoc")
    corpus = docstrings()
    assert tests[:1000] not in trained
    assert corpus.texts[corpus.tests] in trained
    long = [text for text in corpus.texts[: corpus.tests] if len(text) > 300]
    assert long
    assert not any(text in trained for text in long)


def test_masking_is_paired_in_training_and_fixed_outside():
    workload = workloads.load("mlm")
    model = initialized_model(workload, seed=0).eval()
    batch = (workload.data().test[0][:8],)
    with torch.no_grad():
        assert workload.loss(model, batch) == workload.loss(model, batch)
        model.train()
        assert workload.loss(model, batch) != workload.loss(model, batch)
    seen, hidden = masked(batch[0], torch.Generator().manual_seed(3))
    asked = hidden != IGNORED
    assert (hidden[asked] == batch[0][asked]).all()
    assert (seen[~asked] == batch[0][~asked]).all()
    assert not (hidden == MASK).any()


def test_a_masked_model_knows_more_than_the_most_frequent_token(pretrained, own):
    workload = workloads.load("mlm")
    model = BertForMaskedLM(bert_config()).eval()
    model.load_state_dict(torch.load(backbone.kept_at(STEPS), weights_only=True))
    train_tokens, _ = pieces("pydoc", 48)
    tests = workload.data().test[0]
    _, hidden = masked(tests, torch.Generator().manual_seed(0))
    frequent = train_tokens.flatten().bincount().argmax()
    unigram = (hidden[hidden != IGNORED] == frequent).double().mean().item()
    counts = train_tokens.flatten().bincount(minlength=1000).double() + 1
    surprise = -(counts / counts.sum()).log()[hidden[hidden != IGNORED]].mean().item()
    with torch.no_grad():
        assert workload.metric(model, (tests,)) > unigram + 0.01
        assert workload.loss(model, (tests,)).item() < surprise - 0.05


def test_an_encoder_is_trained_once_and_the_same_every_time(pretrained, monkeypatch, tmp_path):
    monkeypatch.setenv("ADAMAS_DATA", str(tmp_path))
    torch.manual_seed(5)
    first = backbone.own(2)[0].state_dict()
    [kept] = (tmp_path / "backbones").glob("*.pt")
    stamp = kept.stat().st_mtime_ns
    again = backbone.own(2)[0].state_dict()
    assert kept.stat().st_mtime_ns == stamp
    kept.unlink()
    torch.manual_seed(6)
    anew = backbone.own(2)[0].state_dict()
    assert all(torch.equal(first[name], again[name]) and torch.equal(first[name], anew[name]) for name in first)


def test_of_workers_that_want_an_encoder_at_once_one_trains_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ADAMAS_DATA", str(tmp_path))
    weights = BertForMaskedLM(bert_config()).state_dict()
    trainings, together = [], threading.Barrier(2)

    def slow(steps):
        trainings.append(steps)
        # A second worker that trains too comes here within that time.
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.5)
        return weights

    monkeypatch.setattr(backbone, "_pretrained", slow)
    with ThreadPoolExecutor(2) as workers:
        found = [model.state_dict() for model, _ in workers.map(backbone.own, (2, 2))]
    assert trainings == [2]
    assert all(torch.equal(each[name], weights[f"bert.{name}"]) for each in found for name in each)


@pytest.mark.parametrize("method", finetune.METHODS)
def test_fine_tuning_changes_what_it_may_and_no_other_bit(own, monkeypatch, method):
    workload = workloads.load(f"finetune@{method}")
    models = []
    make = type(workload).model
    monkeypatch.setattr(type(workload), "model", lambda self: models.append(make(self)) or models[-1])
    rate = {"full": 0.002, "head": 0.05, "lora": 0.02, "adapter": 0.02}[method]
    result = train(short(f"finetune@{method}", rate, 40))
    train(short(f"finetune@{method}", 0.0, 1, optimizer="sgd"))
    tuned, start = (model.state_dict() for model in models)
    marks = {"full": [""], "head": ["head."], "lora": ["head.", ".lora_"], "adapter": ["head.", ".up.", ".down."]}
    allowed = {name for name in start if any(mark in name for mark in marks[method])}
    changed = {name for name in start if not torch.equal(start[name], tuned[name])}
    assert changed <= allowed
    # What belongs to no token of these texts stays; all else moves.
    assert {name for name in allowed - changed if "embeddings" not in name and "pooler" not in name} == set()
    share = result.parameters / sum(parameter.numel() for parameter in models[0].parameters())
    low, high = {"full": (1, 1), "head": (0.001, 0.01), "lora": (0.01, 0.1), "adapter": (0.01, 0.1)}[method]
    assert low <= share <= high
    shares = workload.data().train[1].bincount().double() / len(workload.data().train[1])
    assert result.points[-1].train_loss < -(shares * shares.log()).sum().item() - 0.08
    # Two moments of float32 for every trained parameter, and for no frozen one.
    assert result.state_bytes == pytest.approx(8 * result.parameters, rel=0.02)


def test_the_control_is_the_same_network_with_none_of_the_pretrained_weights(own):
    tuned, control = (initialized_model(workloads.load(f"finetune@{name}"), seed=0) for name in ("full", "scratch"))
    theirs, ours = tuned.state_dict(), control.state_dict()
    assert {name: value.shape for name, value in theirs.items()} == {name: value.shape for name, value in ours.items()}
    drawn = [name for name, value in ours.items() if value.unique().numel() > 1 and name.startswith("encoder.")]
    assert len(drawn) == 3 + 2 * 6  # Embeddings, and the six matrices of each layer.
    assert not any(torch.equal(theirs[name], ours[name]) for name in drawn)
    assert all(parameter.requires_grad for parameter in control.parameters())
    other = initialized_model(workloads.load("finetune@scratch"), seed=1).state_dict()
    assert not torch.equal(other[drawn[0]], ours[drawn[0]])


def test_new_layers_change_nothing_before_they_are_trained(own):
    data = workloads.load("finetune@head").data()
    outputs = []
    for method in ("full", "lora", "adapter"):
        model = initialized_model(workloads.load(f"finetune@{method}"), seed=0).eval()
        assert isinstance(model, finetune.TextClassifier)
        mask = (data.test[0][:4] != PAD).float()
        with torch.no_grad():
            outputs.append(model.encoder(input_ids=data.test[0][:4], attention_mask=mask).last_hidden_state)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[2])


def test_the_same_run_twice_whether_or_not_the_encoder_was_loaded_before(own):
    twice = [train(short("finetune@head", 0.005, 2)).points[-1].train_loss for _ in range(2)]
    assert twice[0] == twice[1]


def test_an_adapter_is_its_formula():
    layer = Adapted(nn.Linear(3, 3), 3, 2)
    nn.init.normal_(layer.up.weight)
    value = torch.randn(4, 3)
    inner = layer.layer(value)
    hidden = nn.functional.gelu(inner @ layer.down.weight.T + layer.down.bias)
    torch.testing.assert_close(layer(value), inner + hidden @ layer.up.weight.T + layer.up.bias)


def test_without_minilm_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ADAMAS_DATA", str(tmp_path))
    if places.find(places.source("minilm")):
        pytest.skip("MiniLM is installed as a package")
    finetune.pretrained.cache_clear()
    with pytest.raises(LabError, match="adamas data get"):
        workloads.load("finetune@minilm-lora").model()
    assert isinstance(tokenizer("pydoc"), Tokenizer)
