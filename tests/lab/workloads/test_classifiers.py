import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from threadpoolctl import threadpool_limits
from torch import nn

from adamas.lab import workloads
from adamas.lab.compare import spec
from adamas.lab.data import digits
from adamas.lab.streams import initialized_model
from adamas.lab.train import train
from adamas.lab.workloads import dbn
from adamas.lab.workloads.bow import BagOfWords
from adamas.lab.workloads.corpora import features
from adamas.lab.workloads.gradients import weight_gradients
from adamas.lab.workloads.mlp import ACTIVATIONS


def trained(name, optimizer="adam", lr=None, **update):
    chosen = spec(name, optimizer, seed=0, lr=lr)
    steps = update.get("steps", chosen.steps)
    return train(chosen.model_copy(update={"eval_every": steps, **update}))


def numpy_digits():
    data = digits()
    return [part.numpy() for part in (*data.train, *data.test)]


def test_logistic_regression_is_sklearns():
    inputs, targets, tests, wanted = numpy_digits()
    with threadpool_limits(1):
        peer = LogisticRegression(C=1, max_iter=200).fit(inputs, targets).score(tests, wanted)
    means = np.stack([inputs[targets == label].mean(0) for label in range(10)])
    centroids = (((tests[:, None] - means) ** 2).sum(2).argmin(1) == wanted).mean()
    ours = trained("logreg", lr=0.02).points[-1].test_metric
    assert ours > centroids + 0.02
    assert abs(ours - peer) <= 0.015


def test_the_hand_made_gradient_of_a_bag_of_words_is_autograds():
    dense = torch.randn(20, 50) * (torch.rand(20, 50) < 0.1)
    documents = csr_matrix(dense.numpy())
    model = BagOfWords(documents, classes=3)
    numbers = torch.tensor([3, 3, 17, 0, 9])
    weight = torch.randn(50, 3, requires_grad=True)
    model.weight.data.copy_(weight.detach())
    downstream = torch.randn(5, 3)
    (model(numbers) * downstream).sum().backward()
    expected = dense[numbers] @ weight
    (expected * downstream).sum().backward()
    torch.testing.assert_close(model(numbers), expected)
    assert model.weight.grad is not None
    torch.testing.assert_close(model.weight.grad, weight.grad)
    absent = (dense[numbers] == 0).all(0)
    assert absent.any()
    assert (model.weight.grad[absent] == 0).all()


def test_words_say_where_a_docstring_is_from():
    """A convex problem on sparse features, against naive Bayes on the same ones, and embeddings against both."""
    matrix = features("docs")[0]
    corpus = workloads.load("bow").data()
    rows = [matrix[part[0].numpy()] for part in (corpus.train, corpus.test)]
    bayes = MultinomialNB(alpha=0.1).fit(rows[0], corpus.train[1]).score(rows[1], corpus.test[1])
    majority = corpus.test[1].bincount().max().item() / len(corpus.test[1])
    bow = trained("bow", lr=0.03, steps=200).points[-1]
    embedded = trained("embed", lr=0.01, steps=300).points[-1]
    assert bow.test_metric > bayes - 0.02
    assert bow.test_metric > majority + 0.5
    # Embeddings see no frequencies of words, and learn all from 1,366 texts.
    assert majority + 0.5 < embedded.test_metric < bow.test_metric + 0.03


def test_no_test_text_is_learned_from():
    matrix, words = features("docs")
    data = workloads.load("bow").data()
    assert not set(data.train[0].tolist()) & set(data.test[0].tolist())
    # Every word was seen in training, if only once.
    assert (matrix[data.train[0].numpy()].sum(0) > 0).all()
    assert matrix.shape == (len(data.train[0]) + len(data.test[0]), len(words))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_learns_the_digits(name):
    assert trained(f"mlp@{name}", steps=100).points[-1].test_metric > 0.8


def test_gradients_vanish_in_deep_sigmoid_networks_and_not_in_relu_ones():
    """Each sigmoid passes on at most a quarter of a gradient."""
    images, targets = digits().train
    shares = {}
    for activation in (nn.Sigmoid, nn.ReLU):
        torch.manual_seed(0)
        layers = [part for _ in range(3) for part in (nn.Linear(64, 64), activation())]
        flow = weight_gradients(nn.Sequential(*layers, nn.Linear(64, 10)), (images, targets))
        shares[activation] = flow[0] / flow[2]
    assert shares[nn.Sigmoid] < 0.25**2
    assert shares[nn.ReLU] > 4 * shares[nn.Sigmoid]


def test_the_picture_of_an_mlp_shows_its_gradients_and_dead_units():
    workload = workloads.load("mlp")
    model = initialized_model(workload, seed=0).eval()
    assert isinstance(model, nn.Sequential)
    with torch.no_grad():
        model.get_parameter("0.bias")[:32] = -100.0
    flow, dead = workload.pictures(model, workload.data())
    images = workload.data().train[0][:500]
    with torch.no_grad():
        off = [(part <= 0).all(0) for part in (model[:1](images), model[:4](images))]
    assert off[0][:32].all()
    assert dead.values == (tuple(float(f"{part.double().mean().item():.4g}") for part in off),)
    assert flow.rows == ("before training", "after")


def test_batch_norm_widens_the_range_of_learning_rates():
    """With it SGD learns the digits in 80 steps at rates 25 times apart; without, at the largest of them only.

    The largest rate that is stable is not larger: there it is the head that diverges, which has no batch norm.
    """
    rates = (0.02, 0.1, 0.5)
    normed, plain = (
        [trained(name, "sgd", lr=rate, steps=80).points[-1].test_metric for rate in rates]
        for name in ("cnn", "cnn@plain")
    )
    assert min(normed) > 0.9
    assert plain[2] > 0.8 > 0.7 > max(plain[:2])


def test_batch_norm_is_what_plain_lacks():
    kinds = {name: {type(part) for part in workloads.load(name).model().modules()} for name in ("cnn", "cnn@plain")}
    assert kinds["cnn"] - kinds["cnn@plain"] == {nn.BatchNorm2d}


def test_pretraining_as_a_belief_network_saves_backpropagation(monkeypatch):
    monkeypatch.setattr(dbn, "EPOCHS", 15)
    start, scratch = (trained(f"dbn@{name}", lr=0.003, steps=100).points[-1] for name in ("digits", "scratch"))
    assert start.train_loss < 0.7 * scratch.train_loss
    assert start.test_metric > scratch.test_metric + 0.1
