"""The restricted Boltzmann machine: energy, Gibbs sampling, contrastive divergence, pseudo-likelihood.

Hinton 2002, "Training Products of Experts by Minimizing Contrastive Divergence"; Tieleman 2008, "Training
Restricted Boltzmann Machines using Approximations to the Likelihood Gradient" (persistent chains).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RBM(nn.Module):
    """Binary visible and hidden units, joined by weights: energy -v'b - h'c - v'Wh.

    Args:
        visible: number of visible units.
        hidden: number of hidden units.
        chains: number of Gibbs chains that go on from step to step; 0 for none.
    """

    def __init__(self, visible: int, hidden: int, chains: int = 0):
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        # A buffer, so that a checkpoint has the state of the chains.
        self.chains: Tensor
        self.register_buffer("chains", torch.rand(chains, visible).round())

    def free_energy(self, visible: Tensor) -> Tensor:
        """F(v) = -v'b - sum softplus(c + W'v), so that p(v) is proportional to exp(-F(v))."""
        hidden = functional.softplus(visible @ self.weight + self.hidden_bias).sum(1)
        return -(visible @ self.visible_bias) - hidden

    def hidden_means(self, visible: Tensor) -> Tensor:
        """Probability of each hidden unit to be on."""
        return (visible @ self.weight + self.hidden_bias).sigmoid()

    def visible_means(self, hidden: Tensor) -> Tensor:
        """Probability of each visible unit to be on."""
        return (hidden @ self.weight.T + self.visible_bias).sigmoid()

    @torch.no_grad()
    def gibbs(self, visible: Tensor, steps: int) -> Tensor:
        """Visible units after `steps` rounds of drawing the hidden units and then the visible ones."""
        for _ in range(steps):
            hidden = torch.bernoulli(self.hidden_means(visible))
            visible = torch.bernoulli(self.visible_means(hidden))
        return visible

    def contrast(self, visible: Tensor, steps: int) -> Tensor:
        """Mean free energy of the data less that of fantasies, whose gradient is contrastive divergence.

        The fantasies are `steps` rounds away from the data or, if there are chains, from where those were.
        """
        fantasies = self.gibbs(self.chains if len(self.chains) else visible, steps)
        if len(self.chains):
            self.chains.copy_(fantasies)
        return self.free_energy(visible).mean() - self.free_energy(fantasies).mean()

    def pseudo_likelihood(self, visible: Tensor) -> Tensor:
        """Mean over images of sum_i log p(v_i | all other pixels), exactly.

        Flipping v_i changes every hidden unit's input by W_i (1 - 2 v_i), so no flip costs a product.
        """
        inputs = visible @ self.weight + self.hidden_bias
        before = functional.softplus(inputs).sum(1)
        total = visible.new_zeros(())
        for unit in range(visible.shape[1]):
            change = 1 - 2 * visible[:, unit]
            after = functional.softplus(inputs + change[:, None] * self.weight[unit]).sum(1)
            flipped_more_likely = change * self.visible_bias[unit] + after - before
            total = total + functional.logsigmoid(-flipped_more_likely).mean()
        return total
