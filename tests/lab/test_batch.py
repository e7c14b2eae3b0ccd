import math
from statistics import fmean

import pytest
import torch
from torch.func import functional_call, grad, vmap

from adamas.lab.batch import Question, noise_scales, outcomes, sized_spec
from adamas.lab.compare import spec
from adamas.lab.errors import LabError
from adamas.lab.noise_scale import noise_scale
from adamas.lab.results import RunStore
from adamas.lab.train import Training, train
from adamas.lab.trainer import Trainer
from adamas.lab.tune import FIRST_SEED

PLAIN = "lab_workloads:Plain"


def exact(training):
    """Signal and noise from the gradient of every single example."""
    weights = dict(training.model.named_parameters())

    def loss(weights, image, label):
        logits = functional_call(training.model, weights, (image[None],))
        return torch.nn.functional.cross_entropy(logits, label[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, *training.data.train)
    flat = torch.cat([each.flatten(1) for each in gradients.values()], dim=1).double()
    mean = flat.mean(0)
    return mean.square().sum().item(), (flat - mean).square().sum(1).mean().item()


@pytest.mark.parametrize("steps", [0, 12])
def test_the_noise_scale_is_that_of_per_example_gradients(steps):
    training = Training(spec(PLAIN, "adam", seed=0))
    while training.step < steps:
        training.advance()
    signal, noise = exact(training)
    measured = noise_scale(training, draws=400)
    assert measured.noise == pytest.approx(noise, rel=0.1)
    assert measured.signal == pytest.approx(signal, rel=0.1)
    assert measured.examples == pytest.approx(noise / signal, rel=0.15)


def test_few_draws_are_no_more_biased_than_many():
    """The mean of eight gradients is longer than the true one by an eighth of their spread; on average, it is not."""
    training = Training(spec(PLAIN, "adam", seed=0))
    while training.step < 12:
        training.advance()
    signal, noise = exact(training)
    measured = []
    for step in range(100):
        training.wind(step)
        measured.append(noise_scale(training, draws=8))
    bias = noise / training.spec.batch_size / 8
    assert bias > 0.15 * signal  # or this test could not tell
    assert fmean(each.signal for each in measured) == pytest.approx(signal, abs=0.4 * bias)
    assert fmean(each.noise for each in measured) == pytest.approx(noise, rel=0.05)


def test_measuring_leaves_the_training_alone():
    wanted = spec("cnn", "adam", seed=0).model_copy(update={"steps": 12, "eval_every": 4})
    expected = train(wanted)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    training = Training(wanted)
    while not training.finished:
        training.advance()
        noise_scale(training, draws=2)
    torch.set_num_threads(threads)
    assert [point.train_loss for point in training.points] == [point.train_loss for point in expected.points]


def test_noise_scales_come_at_the_wanted_steps():
    wanted = spec(PLAIN, "adam", seed=0)
    assert [each.step for each in noise_scales(wanted, shares=(0.25, 0.5, 1.0))] == [3, 6, 12]


@pytest.mark.usefixtures("one_worker")
def test_larger_batches_take_fewer_steps_but_in_the_end_more_examples(tmp_path):
    question = Question("lab_workloads:Scaled", (8, 32, 512), trials=3, seeds=1)
    with Trainer() as trainer:
        small, middle, large = outcomes(question, "sgd", RunStore(tmp_path), trainer)
    assert large.steps.median < middle.steps.median < small.steps.median < math.inf
    assert small.steps.median > 2 * middle.steps.median
    assert large.examples > 2 * middle.examples
    assert small.lr < large.lr
    # Every rate is judged on other seeds than it was chosen with.
    assert {run.spec.seed for run in RunStore(tmp_path).all()} == {0, FIRST_SEED}


def test_a_run_of_another_size_sees_no_fewer_examples():
    for size in (1, 5, 64, 333, 1024):
        sized = sized_spec("mlp", "sgd", 0, size)
        assert sized.steps * sized.batch_size >= 1000 * 64
        assert sized.eval_every * sized.batch_size <= 2 * 20 * 64 or sized.eval_every == 1


def test_a_batch_that_is_too_large(tmp_path):
    with pytest.raises(LabError, match="batch of 5000 is larger"):
        outcomes(Question(PLAIN, (5000,), 3, 1), "sgd", RunStore(tmp_path), Trainer())
