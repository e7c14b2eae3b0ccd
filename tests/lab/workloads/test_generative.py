import itertools

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neural_network import BernoulliRBM
from threadpoolctl import threadpool_limits

from adamas.lab import workloads
from adamas.lab.compare import spec
from adamas.lab.streams import initialized_model
from adamas.lab.train import train
from adamas.lab.workloads import autoencoder
from adamas.lab.workloads.boltzmann import RBM


def trained(name, optimizer="adam", lr=None, seed=0, **update):
    chosen = spec(name, optimizer, seed=seed, lr=lr)
    steps = update.get("steps", chosen.steps)
    return train(chosen.model_copy(update={"eval_every": steps, **update}))


def test_an_autoencoder_explains_more_than_pca_of_the_same_size():
    """PCA is the best a linear autoencoder can be."""
    data = workloads.load("autoencoder").data()
    with threadpool_limits(1):
        pca = PCA(autoencoder.CODE, svd_solver="full").fit(data.train[0].numpy())
    tests = data.test[0].numpy()
    error = ((tests - pca.inverse_transform(pca.transform(tests))) ** 2).mean(0).sum()
    share = 1 - error / tests.var(0).sum()
    # The metric means what PCA means by it.
    assert share == pytest.approx(pca.explained_variance_ratio_.sum(), abs=0.03)
    ours = trained("autoencoder", lr=0.005, steps=600).points[-1].test_metric
    assert ours > share + 0.05


def test_an_autoencoder_removes_noise():
    workload = workloads.load("autoencoder")
    result = trained("autoencoder", lr=0.005, steps=600)
    [picture] = result.pictures
    clean, noisy, denoised, _ = torch.tensor(picture.values).view(4, autoencoder.SAMPLE, -1)
    assert (denoised - clean).square().mean() < 0.75 * (noisy - clean).square().mean()
    assert torch.allclose(clean, workload.data().test[0][: autoencoder.SAMPLE], atol=0.006)


def test_a_vae_bounds_the_likelihood_above_that_of_independent_pixels():
    workload = workloads.load("vae")
    data = workload.data()
    means = data.train[0].mean(0).clamp(1e-3, 1 - 1e-3).expand_as(data.test[0])
    independent = -torch.nn.functional.binary_cross_entropy(means, data.test[0], reduction="sum") / len(data.test[0])
    result = trained("vae", lr=0.005, steps=500)
    assert result.points[-1].test_metric > independent + 2
    # Drawn images look like digits if a nearest neighbour in the data is nearer than it is to independent pixels.
    drawn = torch.tensor(result.pictures[1].values).flatten(1)
    noise = torch.bernoulli(data.train[0].mean(0).expand_as(drawn), generator=torch.Generator().manual_seed(0))
    nearest = [torch.cdist(images, data.train[0]).min(1).values.mean() for images in (drawn, noise)]
    assert nearest[0] < 0.6 * nearest[1]


def test_evaluating_a_vae_twice_gives_the_same_bits():
    workload = workloads.load("vae")
    model = initialized_model(workload, seed=0).eval()
    with torch.no_grad():
        assert workload.loss(model, workload.data().test) == workload.loss(model, workload.data().test)
        model.train()
        assert workload.loss(model, workload.data().test) != workload.loss(model, workload.data().test)


@pytest.fixture
def small():
    """A machine whose probabilities can be summed: 6 visible and 4 hidden units."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        machine = RBM(6, 4)
        for parameter in machine.parameters():
            parameter.data.normal_()
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)))
    return machine, states


def test_free_energy_sums_the_hidden_units_out(small):
    machine, states = small
    hidden = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    energies = -(
        (states @ machine.visible_bias)[:, None]
        + (hidden @ machine.hidden_bias)[None]
        + states @ machine.weight @ hidden.T
    )
    torch.testing.assert_close(machine.free_energy(states), -torch.logsumexp(-energies, 1))


def test_pseudo_likelihood_is_that_of_the_conditionals(small):
    machine, states = small
    odds = (-machine.free_energy(states)).softmax(0)
    # Not all states: over all of them, a flip and its way back would hide the sign.
    chosen = [0, 5, 6, 22, 41]
    expected = 0.0
    for state in chosen:
        for unit in range(6):
            flipped = states[state].clone()
            flipped[unit] = 1 - flipped[unit]
            other = int((states == flipped).all(1).nonzero().item())
            expected += torch.log(odds[state] / (odds[state] + odds[other])) / len(chosen)
    torch.testing.assert_close(machine.pseudo_likelihood(states[chosen]), expected)


def test_gibbs_sampling_draws_from_the_machines_distribution(small):
    machine, states = small
    with torch.random.fork_rng():
        torch.manual_seed(1)
        drawn = machine.gibbs(torch.zeros(20_000, 6), steps=60)
    numbers = (drawn @ (2.0 ** torch.arange(5, -1, -1))).long()
    shares = numbers.bincount(minlength=64) / len(drawn)
    odds = (-machine.free_energy(states)).softmax(0)
    # Five standard deviations of a share.
    assert ((shares - odds).abs() < 5 * (odds / len(drawn)).sqrt() + 1e-4).all()


def test_long_chains_descend_the_likelihood(small):
    """With fantasies drawn from the model, contrastive divergence is the gradient of the negative log-likelihood."""
    machine, states = small
    data = states[[3, 17, 17, 42]]
    likelihood = -(machine.free_energy(data).mean() + torch.logsumexp(-machine.free_energy(states), 0))
    expected = torch.autograd.grad(-likelihood, machine.weight)[0]
    with torch.random.fork_rng():
        torch.manual_seed(2)
        ours = torch.autograd.grad(machine.contrast(data.repeat(5000, 1), steps=40), machine.weight)[0]
    torch.testing.assert_close(ours, expected, atol=0.02, rtol=0)


def test_persistent_chains_go_on():
    workload = workloads.load("rbm@pcd")
    model = initialized_model(workload, seed=0)
    assert isinstance(model, RBM)
    batch = (workload.data().train[0][:64],)
    before = model.chains.clone()
    workload.training_loss(model, batch)
    after = model.chains.clone()
    assert not torch.equal(before, after)
    # They don't depend on the data.
    model.chains.copy_(before)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        workload.training_loss(model, batch)
        one = model.chains.clone()
        model.chains.copy_(before)
        torch.manual_seed(0)
        workload.training_loss(model, (1 - batch[0],))
        assert torch.equal(model.chains, one)


def sklearns(seed, epochs, rate):
    # Whole batches: in a shorter one, scikit-learn 1.9 weighs all its chains against fewer images.
    images = workloads.load("rbm").data().train[0][: BATCHES * 64].numpy()
    with threadpool_limits(1):
        machine = BernoulliRBM(64, learning_rate=rate, batch_size=64, n_iter=epochs, random_state=seed).fit(images)
    ours = RBM(64, 64)
    ours.weight.data = torch.from_numpy(machine.components_.T.copy()).float()
    ours.visible_bias.data = torch.from_numpy(machine.intercept_visible_).float()
    ours.hidden_bias.data = torch.from_numpy(machine.intercept_hidden_).float()
    with torch.no_grad():
        return ours.pseudo_likelihood(workloads.load("rbm").data().test[0]).item()


EPOCHS, BATCHES = 10, 22


def likelihoods(variant, optimizer, rate, seeds):
    return [
        trained(f"rbm@{variant}", optimizer, lr=rate, seed=seed, steps=EPOCHS * BATCHES).points[-1].test_metric
        for seed in range(seeds)
    ]


def test_sgd_trains_as_well_as_sklearns_machine():
    """Persistent chains, 64 hidden units, 10 epochs; the same exact pseudo-likelihood judges both."""
    peer = [sklearns(seed, EPOCHS, rate=0.1) for seed in range(3)]
    ours = likelihoods("pcd", "sgd", 0.1, seeds=3)
    # Means of three; the spread over seeds is about 0.1 for either.
    assert abs(sum(ours) - sum(peer)) / 3 < 0.3


def test_adams_verdict_depends_on_the_chains():
    """Each optimizer at its best rate of a grid, chosen on three other seeds, over the same 10 epochs.

    From the data Adam is ahead of SGD. With persistent chains it is behind: its steps are too large for the
    chains to follow.
    """
    assert min(likelihoods("cd1", "adam", 0.05, seeds=2)) > max(likelihoods("cd1", "sgd", 1.0, seeds=2))
    assert max(likelihoods("pcd", "adam", 0.02, seeds=2)) < min(likelihoods("pcd", "sgd", 1.0, seeds=2))


def test_a_machine_tells_images_from_shuffled_ones():
    """The free energy of real images is lower by more than that of test above train images."""
    result = trained("rbm", lr=0.01, steps=400)
    [energies] = result.pictures[-1].values
    seen, unseen, shuffled = map(float, energies)  # pyright: ignore[reportArgumentType]
    assert shuffled - unseen > 10 * abs(unseen - seen)
