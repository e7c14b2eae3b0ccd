import stat

import pytest

from adamas.lab.errors import LabError
from adamas.lab.results import RunStore, writable_folder, write_atomically


def test_a_run_comes_back_as_it_was(tmp_path, make_runs):
    store = RunStore(tmp_path)
    for run in make_runs():
        assert store.find(run.spec) is None
        store.save(run)
        assert store.find(run.spec) == run
    assert len(list(tmp_path.iterdir())) == 4


def test_losses_that_are_not_finite_come_back(tmp_path, make_runs):
    run = make_runs(seeds=1)[0]
    points = [point.model_copy(update={"train_loss": float("inf")}) for point in run.result.points]
    run = run.model_copy(update={"result": run.result.model_copy(update={"points": tuple(points)})})
    store = RunStore(tmp_path)
    store.save(run)
    assert store.find(run.spec) == run


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda _: "", lambda _: "{}", lambda _: "\x00"]
)
def test_a_damaged_file_is_no_run(tmp_path, make_runs, damage):
    store = RunStore(tmp_path)
    run = make_runs(optimizers=("sgd",), seeds=1)[0]
    store.save(run)
    store.path(run.spec).write_text(damage(store.path(run.spec).read_text()))
    assert store.find(run.spec) is None


def test_a_file_of_another_run_is_no_run(tmp_path, make_runs):
    one, other = make_runs(optimizers=("sgd", "adam"), seeds=1)
    store = RunStore(tmp_path)
    store.save(one)
    store.path(one.spec).rename(store.path(other.spec))
    assert store.find(other.spec) is None


def test_writing_replaces_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "one")
    write_atomically(path, "two")
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "ordinary").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_can_not_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="choose another with --runs-dir"):
        writable_folder(tmp_path / "file" / "runs", "--runs-dir")
