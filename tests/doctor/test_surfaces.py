"""Where the doctor shows: numbers by name, TensorBoard, MLflow, callbacks of Lightning and Hugging Face."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import types
from typing import Any

import pytest
import torch

from adamas.doctor import log_mlflow, write_tensorboard
from adamas.doctor.attending import Attending

from .faults import Net, a_dead_relu_layer, adamw, healthy, train


def test_scalars_are_finite_numbers_by_name() -> None:
    optimizer = healthy()
    assert optimizer.doctor is not None
    found, seen = optimizer.scalars(), optimizer.doctor.looks[-1].seen
    assert found["doctor/update_ratio/first.weight"] == seen[0].update_ratio
    assert found["doctor/gradient_norm"] == pytest.approx(math.sqrt(sum(each.sums.gradient for each in seen)))
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
    assert "doctor/rms/head.weight" in found
    assert not [name for name in found if any(other.startswith(f"{name}/") for other in found)]
    dead = a_dead_relu_layer().scalars()
    assert "doctor/lost/second.weight" not in dead  # nothing moved
    assert adamw(Net()).scalars() == {}
    noise = optimizer.noise_scale(32)
    assert noise is not None
    assert noise.low <= noise.examples <= noise.high
    assert adamw(Net()).noise_scale(32) is None


def test_tensorboard_and_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, written, logged = healthy(), {}, []
    writer = types.SimpleNamespace(add_scalar=lambda name, value, step: written.update({name: (value, step)}))
    write_tensorboard(writer, optimizer, 7)
    assert written == {name: (value, 7) for name, value in optimizer.scalars().items()}
    fake: Any = types.ModuleType("mlflow")
    fake.log_metrics = lambda metrics, step: logged.append((metrics, step))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    log_mlflow(optimizer, 3)
    assert logged == [(optimizer.scalars(), 3)]


def test_attending_hears_each_look_once_and_sees_through_wrappers() -> None:
    model = Net()
    optimizer, attending = adamw(model), Attending(every=4)
    attending.begin([types.SimpleNamespace(optimizer=optimizer)])
    assert optimizer.diagnose_every == 4
    assert attending.news() == {}
    train(model, optimizer, steps=4)
    assert attending.news() == optimizer.scalars()
    assert attending.news() == {}
    assert attending.findings() == optimizer.diagnose()


def test_attending_needs_an_optimizer_of_adamas() -> None:
    with pytest.raises(TypeError, match="the doctor needs an optimizer of adamas, this training has AdamW"):
        Attending().begin([torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])])


# In processes of their own: frameworks leave singletons and handlers behind.
LIGHTNING = """
import json, logging, tempfile, warnings; warnings.simplefilter("ignore")
import lightning, torch, adamas
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset
from adamas.doctor.lightning import DoctorCallback
class Sine(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    def training_step(self, batch, number):
        return (self.model(batch[0]) - batch[1]).square().mean()
    def configure_optimizers(self):
        return adamas.AdamW(self.model.named_parameters(), lr=1e-3, weight_decay=0.1)
torch.manual_seed(0); x = torch.linspace(-3, 3, 128)[:, None]
doctor = DoctorCallback(every=4)
with tempfile.TemporaryDirectory() as folder:
    logger = CSVLogger(folder)
    trainer = lightning.Trainer(max_epochs=6, accelerator="cpu", callbacks=[doctor], logger=logger, log_every_n_steps=1,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)
    trainer.fit(Sine(), DataLoader(TensorDataset(x, x.sin()), batch_size=32))
    logger.save()
    rows = open(logger.experiment.metrics_file_path).read()
print("found", json.dumps([[each.what for each in doctor.findings], str(rows)]))
"""

HUGGING_FACE = """
import json, tempfile
import torch, adamas
from transformers import Trainer, TrainingArguments
from adamas.doctor.hugging_face import DoctorCallback
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def forward(self, x, labels=None):
        return {"loss": (self.layer(x).squeeze(-1) - labels).square().mean()}
torch.manual_seed(0); model = Model()
data = [{"x": torch.randn(4), "labels": torch.randn(())} for _ in range(64)]
doctor = DoctorCallback(every=4)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, max_steps=24, per_device_train_batch_size=8, logging_steps=4, report_to=[],
        use_cpu=True, save_strategy="no", disable_tqdm=True)
    optimizer = adamas.AdamW(model.named_parameters(), lr=1e-3, weight_decay=0.1)
    trainer = Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, None), callbacks=[doctor])
    trainer.train()
print("found", json.dumps([[each.what for each in doctor.findings], str(trainer.state.log_history)]))
"""


@pytest.mark.parametrize(("package", "code"), [("lightning", LIGHTNING), ("transformers", HUGGING_FACE)])
def test_callbacks_of_frameworks(package: str, code: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("found "))
    findings, logged = json.loads(line.removeprefix("found "))
    assert findings == ["weight decay acts on biases and norms"]
    assert "doctor/update_ratio/" in logged
    assert "doctor/gradient_norm" in logged


# Each prints what it has on disk after two looks, and what it should have.
SINKS = """
import json, sys, tempfile, warnings; warnings.simplefilter("ignore")
import torch, adamas
from adamas.doctor import log_mlflow, write_tensorboard
torch.manual_seed(0); layer = torch.nn.Linear(3, 2)
optimizer = adamas.AdamW(layer.named_parameters()); optimizer.diagnose_every = 2
def looks():
    for step in range(1, 5):
        layer(torch.randn(4, 3)).square().sum().backward(); optimizer.step(); optimizer.zero_grad()
        if step % 2 == 0:
            expected.append([step, optimizer.scalars()]); yield step
expected, found = [], []
with tempfile.TemporaryDirectory() as folder:
    if sys.argv[1] == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from torch.utils.tensorboard import SummaryWriter
        with SummaryWriter(folder) as writer:
            for step in looks(): write_tensorboard(writer, optimizer, step)
        events = EventAccumulator(folder); events.Reload()
        series = {name: [[each.step, each.value] for each in events.Scalars(name)] for name in events.Tags()["scalars"]}
    else:
        import mlflow
        mlflow.set_tracking_uri(f"file://{folder}/runs")
        with mlflow.start_run() as run:
            for step in looks(): log_mlflow(optimizer, step)
        client = mlflow.MlflowClient(); names = client.get_run(run.info.run_id).data.metrics
        series = {n: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, n)] for n in names}
print("found", json.dumps([series, expected]))
"""


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_what_the_real_libraries_keep(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}  # a folder instead of a database
    command = [sys.executable, "-c", SINKS, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("found "))
    series, expected = json.loads(line.removeprefix("found "))
    assert [step for step, _ in expected] == [2, 4]
    assert set(series) == {name for _, numbers in expected for name in numbers}
    for name, kept in series.items():
        assert [step for step, _ in kept] == [step for step, numbers in expected if name in numbers]
        values = [numbers[name] for _, numbers in expected if name in numbers]
        assert [value for _, value in kept] == pytest.approx(values, rel=1e-6)  # TensorBoard keeps float32


def test_frameworks_are_imported_only_when_they_are_used() -> None:
    code = "import adamas, adamas.doctor, sys; print({'lightning', 'transformers', 'mlflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
