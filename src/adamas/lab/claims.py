"""Claims as predicates: what the literature says about optimizers, judged by the runs at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adamas.lab import optimizers
from adamas.lab.analysis import Summary, Verdict, fewer


@dataclass(frozen=True)
class Claim:
    """That one optimizer reaches the target in fewer steps than another.

    Args:
        faster: name of the optimizer that is said to be ahead.
        slower: name of the other.
    """

    faster: str
    slower: str

    @property
    def sentence(self) -> str:
        """The claim in words."""
        ahead, behind = optimizers.entry(self.faster).label, optimizers.entry(self.slower).label
        return f"{ahead} reaches the target in fewer steps than {behind}"

    def verdict(self, summaries: Mapping[str, Summary]) -> Verdict:
        """Judges the claim on one workload, whose summaries are given by optimizer."""
        ahead, behind = summaries[self.faster], summaries[self.slower]
        return fewer([c.first for c in ahead.crossings], [c.first for c in behind.crossings])


CLAIMS = (Claim("adam", "sgd"), Claim("adam", "momentum"), Claim("adam", "adagrad"), Claim("adam", "rmsprop"))
"""What Kingma and Ba (2015, section 6) report for networks like these: Adam is ahead of the others."""


@dataclass(frozen=True)
class Judged:
    """A claim and its verdict on every workload, by the workload's name."""

    claim: Claim
    verdicts: Mapping[str, Verdict]


def judge(summaries: Sequence[Summary]) -> list[Judged]:
    """Judges every claim whose optimizers were both run, on every workload on which they were."""
    by_workload: dict[str, dict[str, Summary]] = {}
    for summary in summaries:
        by_workload.setdefault(summary.workload, {})[summary.optimizer] = summary
    judged = []
    for claim in CLAIMS:
        verdicts: dict[str, Verdict] = {
            workload: claim.verdict(by_optimizer)
            for workload, by_optimizer in by_workload.items()
            if {claim.faster, claim.slower} <= by_optimizer.keys()
        }
        if verdicts:
            judged.append(Judged(claim, verdicts))
    return judged
