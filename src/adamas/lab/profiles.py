"""Performance profiles: how often, over workloads, an optimizer is within a factor of the best.

Dolan and Moré (2002), "Benchmarking optimization software with performance profiles"; the score over a range of
factors is that of AlgoPerf (Dahl et al. 2023, section 4.2), with factors on a plain scale from 1 to 4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adamas.lab.analysis import Summary

LARGEST = 4.0
"""The score looks at factors up to this one."""


@dataclass(frozen=True)
class Profile:
    """One optimizer over several workloads.

    Args:
        optimizer: its name.
        ratios: median steps to the target, relative to the best optimizer's, by workload; infinite where missed.
    """

    optimizer: str
    ratios: Mapping[str, float]

    def share(self, factor: float) -> float:
        """Share of workloads on which it takes at most `factor` times the steps of the best.

        Example:
            >>> Profile("adam", {"mlp": 1.0, "cnn": 1.5, "vae": math.inf}).share(2.0)
            0.6666666666666666
        """
        return sum(ratio <= factor for ratio in self.ratios.values()) / len(self.ratios)

    @property
    def score(self) -> float:
        """Mean of `share` over factors from 1 to 4: 1 is the best on every workload, 0 is never near it.

        Example:
            >>> Profile("adam", {"mlp": 1.0, "cnn": 2.5}).score
            0.75
        """
        return sum(max(0.0, LARGEST - ratio) for ratio in self.ratios.values()) / (LARGEST - 1) / len(self.ratios)


def profiles(summaries: Sequence[Summary]) -> list[Profile]:
    """Profiles of all optimizers that were run on every workload, best score first.

    A workload that no optimizer brought to its target tells nothing apart, and is left out.

    Args:
        summaries: of several workloads and optimizers.
    """
    steps: dict[str, dict[str, float]] = {}
    for summary in summaries:
        steps.setdefault(summary.workload, {})[summary.optimizer] = summary.first.median
    # A target that holds from step 0 on would divide by zero; whoever reaches it is then equally fast.
    best = {name: max(min(by_optimizer.values()), 1.0) for name, by_optimizer in steps.items()}
    told = {name: by_optimizer for name, by_optimizer in steps.items() if math.isfinite(best[name])}
    everywhere = [
        optimizer
        for optimizer in dict.fromkeys(summary.optimizer for summary in summaries)
        if told and all(optimizer in by_optimizer for by_optimizer in told.values())
    ]
    found = [
        Profile(optimizer, {name: max(told[name][optimizer], 1.0) / best[name] for name in told})
        for optimizer in everywhere
    ]
    return sorted(found, key=lambda profile: -profile.score)
