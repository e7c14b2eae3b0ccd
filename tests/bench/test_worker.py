"""Real worker processes: what they report, and what is said of one that dies."""

import json
import sys

import pytest

from adamas.lab.bench.child import Child, ContenderError
from adamas.lab.bench.child import environment as child_environment
from adamas.lab.bench.contenders import ADAPTERS, HYPER
from adamas.lab.bench.limits import l3_bytes
from adamas.lab.bench.worker import KINDS, chunk, contender, timed, traffic, warm_up


def job(adapter="torch-fused", **changes):
    made = {
        "kind": "contender",
        "target": ADAPTERS[adapter].target,
        "options": HYPER | ADAPTERS[adapter].options,
        "shapes": [[64, 64], [64]],
        "dtype": "float32",
        "group_per_tensor": True,
        "clip_grad_norm": None,
        "grad_reads": 1,
        "zero_grad": False,
        "touched": None,
    }
    return made | changes


@pytest.fixture
def start():
    children = []

    def starter(*args, **kwargs):
        children.append(Child(*args, **kwargs))
        return children[-1]

    yield starter
    for child in children:
        child.close()


def test_a_worker_answers_whatever_its_library_prints(start, tmp_path, monkeypatch):
    chatty = "import os\nfrom torch.optim import AdamW\nos.system('echo hello')\nprint(1)\n"
    (tmp_path / "chatty.py").write_text(chatty)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    child = start("chatty", job(target="chatty:AdamW"), threads=1)
    assert child.ready()["traffic"] == {"param": 4, "grad": 4, "state": 8, "share": 1}
    assert child.ask(do="warmup", kernel="step", budget=0.01)["seconds"] > 0
    assert child.ask(do="chunk", kernel="step", calls=3, lead=1)["seconds"] > 0


def test_what_is_timed_clips_and_lets_go_of_the_gradients():
    import torch

    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    call = timed(job(clip_grad_norm=1.0, zero_grad=True), optimizer, [parameter], [[parameter.grad]])
    call()
    assert parameter.grad is None
    call()  # with the gradient given back
    assert parameter.tolist() == pytest.approx([-1.2, -1.6], rel=1e-5)


@pytest.mark.parametrize("adapter", ["torch-sparse", "adamas-sparse", "adamas"])
def test_sparse_gradients_take_turns(adapter):
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    asked = job(adapter, options=ADAPTERS[adapter].keywords({}), shapes=[[50, 8]], touched=5, group_per_tensor=False)
    kernels, facts = contender(asked)
    assert facts["traffic"] == {"param": 4, "grad": 4, "state": 8, "share": 0.1}
    seen = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append(optimizer.param_groups[0]["params"][0].grad)
    )
    for _ in range(KINDS + 1):
        kernels["step"]()
    hook.remove()
    assert all(grad.is_sparse and grad._nnz() == 5 for grad in seen)
    assert len({id(grad) for grad in seen}) == KINDS
    assert seen[0] is seen[KINDS]


def test_the_memory_worker_has_its_kernels_and_threads(start):
    child = start("memory limit", {"kind": "memory", "array_bytes": 4000}, threads=1)
    facts = child.ready()
    assert (facts["elements"], facts["torch_threads"]) == (1000, 1)
    for kernel in ("copy", "triad", "triad in place"):
        assert child.ask(do="chunk", kernel=kernel, calls=1, lead=0)["seconds"] > 0


def test_an_error_names_the_contender_in_one_line(start):
    child = start("mine", job(target="torch.optim:NoSuchOptimizer"))
    with pytest.raises(ContenderError, match=r"^mine: AttributeError: .*NoSuchOptimizer") as caught:
        child.ready()
    assert "\n" not in str(caught.value)


def python(code):
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            r"killed by SIGKILL \(out of memory\?\)$",
        ),
        ("import sys; sys.exit('first\\nlast words')", "ended with code 1; its last words: last words$"),
    ],
)
def test_a_worker_that_dies_is_one_clear_line(start, code, reason):
    child = start("peer", job(), command=python(code))
    with pytest.raises(ContenderError, match=f"^peer: its process (was )?{reason}"):
        child.ready()


def test_a_worker_that_dies_later_is_one_too(start):
    child = start("peer", job(), command=python("print('{}', flush=True); input()"))
    assert child.ready() == {}
    with pytest.raises(ContenderError, match=r"^peer: its process ended with code 0$"):
        child.ask(do="chunk")
    with pytest.raises(ContenderError, match=r"^peer: "):
        child.ask(do="chunk")


def test_all_get_the_same_openmp_settings(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    given = child_environment(3)
    assert "OMP_WAIT_POLICY" not in given
    assert (given["OMP_NUM_THREADS"], given["MKL_NUM_THREADS"]) == ("3", "3")


def test_chunk_and_warm_up_count_their_calls():
    calls = []
    chunk(lambda: calls.append(1), calls=5, lead=2)
    assert len(calls) == 7
    calls.clear()
    warm_up(lambda: calls.append(1), budget=0.0)
    assert len(calls) == 2


def test_traffic_counts_what_a_wrapped_tensor_stores():
    import torch

    class Wrapped:
        codes, scale = torch.zeros(256, dtype=torch.uint8), torch.zeros(2)

        def __tensor_flatten__(self):
            return ["codes", "scale"], None

    parameter = torch.nn.Parameter(torch.zeros(256))
    parameter.grad = torch.zeros(256)
    state = {parameter: {"step": torch.tensor(1.0), "exp_avg": Wrapped()}}
    assert traffic([parameter], state)["state"] == (256 + 8) / 256


def test_l3_is_read_as_linux_writes_it(tmp_path):
    for index, (level, size) in enumerate([("2", "1024K"), ("3", "32M")]):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        (folder / "level").write_text(f"{level}\n")
        (folder / "size").write_text(f"{size}\n")
    assert l3_bytes(tmp_path) == 32 * 2**20
    assert l3_bytes(tmp_path / "nowhere") is None


def test_jobs_are_json():
    assert json.loads(json.dumps(job())) == job()
