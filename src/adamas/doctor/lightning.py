"""The doctor as a callback of Lightning: ``Trainer(callbacks=[DoctorCallback()])``."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from adamas.doctor.attending import Attending
from adamas.doctor.finding import Finding


class DoctorCallback(Callback):
    """Logs the numbers of every look, and tells the findings when training ends.

    Args:
        every: how many steps lie between two looks.

    Attributes:
        findings: what was wrong with the training, once it has ended.
    """

    def __init__(self, every: int = 16) -> None:
        self._attending = Attending(every)
        self.findings: list[Finding] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give every optimizer a doctor."""
        self._attending.begin(trainer.optimizers)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log what is new."""
        news = self._attending.news()
        for logger in trainer.loggers if news else []:
            logger.log_metrics(news, step=trainer.global_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the findings."""
        self.findings = self._attending.findings()
        for finding in self.findings:
            rank_zero_info(f"adamas doctor: {finding}")
