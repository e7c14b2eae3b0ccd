"""The Trainer of Hugging Face Transformers with an optimizer of adamas, and a run that goes on from its checkpoint.

pip install transformers accelerate
python examples/hugging_face_trainer.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers

import adamas

STEPS = 24


class First(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows of zeros and ones, and which of the two comes first."""

    def __init__(self, rows: int = 160, length: int = 9) -> None:
        generator = torch.Generator().manual_seed(0)
        self.tokens = torch.randint(0, 2, (rows, length), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        tokens = self.tokens[row]
        return {"input_ids": tokens, "labels": tokens[0]}


def fit(optimizer_class: Any, folder: Path, checkpoint: str | None = None) -> list[float]:
    """Train a small BERT, from the start or from a checkpoint; return the losses."""
    transformers.set_seed(0)
    config = transformers.BertConfig(
        vocab_size=2, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    model = transformers.BertForSequenceClassification(config)
    groups = adamas.param_groups(model, weight_decay=0.01, lr=0.02, layer_decay=0.8)
    optimizer = optimizer_class(groups)
    scheduler = transformers.get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=4, num_training_steps=STEPS)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=16,
        save_steps=STEPS // 2,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=First(), optimizers=(optimizer, scheduler)
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=checkpoint)
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def main(optimizer_class: Any = adamas.AdamW) -> dict[str, Any]:
    """Train without a break, and again from the checkpoint half-way."""
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        whole = fit(optimizer_class, Path(folder))
        resumed = fit(optimizer_class, Path(folder), str(Path(folder, f"checkpoint-{STEPS // 2}")))
    return {"losses": whole, "resumed": resumed}


if __name__ == "__main__":
    found = main()
    print(f"loss {found['losses'][0]:.3f} -> {found['losses'][-1]:.3f}, resumed {found['resumed'][-1]:.3f}")
