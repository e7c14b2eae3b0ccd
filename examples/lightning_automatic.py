"""Lightning's automatic optimization with an optimizer of adamas, and a run that goes on from Lightning's checkpoint.

pip install lightning
python examples/lightning_automatic.py
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

import adamas

EPOCHS = 4


class Sine(lightning.LightningModule):
    """A small network that is fitted to a sine."""

    def __init__(self, optimizer_class: Any) -> None:
        super().__init__()
        self.model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
        self.optimizer_class = optimizer_class
        self.losses: list[float] = []

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], number: int) -> torch.Tensor:
        """Return the loss; Lightning runs backward, step, zero_grad and the scheduler."""
        x, y = batch
        loss = (self.model(x) - y).square().mean()
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self) -> Any:
        """Decay what should decay, with one cycle of the learning rate over all steps."""
        optimizer = self.optimizer_class(adamas.param_groups(self.model, weight_decay=0.01), lr=0.02)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def fit(optimizer_class: Any, folder: Path, checkpoint: str | None = None) -> list[float]:
    """Train, from the start or from a checkpoint; return the losses of all steps."""
    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 128)[:, None]
    loader = DataLoader(TensorDataset(x, x.sin()), batch_size=32)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        gradient_clip_val=1.0,
        callbacks=[ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    module = Sine(optimizer_class)
    trainer.fit(module, loader, ckpt_path=checkpoint)
    return module.losses


def main(optimizer_class: Any = adamas.AdamW) -> dict[str, Any]:
    """Train without a break, and again from the checkpoint of the second epoch."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice about the number of workers
        whole = fit(optimizer_class, Path(folder))
        resumed = fit(optimizer_class, Path(folder, "again"), str(Path(folder, "epoch=1.ckpt")))
    return {"losses": whole, "resumed": resumed}


if __name__ == "__main__":
    found = main()
    print(f"loss {found['losses'][0]:.3f} -> {found['losses'][-1]:.3f}, resumed {found['resumed'][-1]:.3f}")
