"""The doctor as a callback of Hugging Face's Trainer: ``Trainer(..., callbacks=[DoctorCallback()])``."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging

from adamas.doctor.attending import Attending
from adamas.doctor.finding import Finding

_LOG = logging.get_logger(__name__)


class DoctorCallback(TrainerCallback):
    """Adds the numbers of the last look to what the Trainer logs, and tells the findings when training ends.

    Args:
        every: how many steps lie between two looks.

    Attributes:
        findings: what was wrong with the training, once it has ended.
    """

    def __init__(self, every: int = 16) -> None:
        self._attending = Attending(every)
        self.findings: list[Finding] = []

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        """Give the optimizer a doctor."""
        self._attending.begin([optimizer])

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add what is new to the logs, for the callbacks after this one and for the history."""
        news = self._attending.news()
        if logs is not None and news:
            logs.update(news)
            state.log_history[-1].update(news)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell the findings."""
        self.findings = self._attending.findings()
        for finding in self.findings:
            _LOG.warning(f"adamas doctor: {finding}")
