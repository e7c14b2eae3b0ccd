"""Searches with Optuna: reproducible, resumable, and shared through a real PostgreSQL."""

import math
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from adamas.lab import spaces
from adamas.lab.errors import LabError
from adamas.lab.studies import Study, search, storage

OPTIMUM = {"lr": 0.4, "beta1": 0.2}


def loss(keywords):
    """A bowl whose bottom is far from Adam's defaults, outside of the first range of learning rates."""
    distance = math.log(keywords["lr"] / OPTIMUM["lr"]) ** 2
    return distance + math.log((1 - keywords["betas"][0]) / OPTIMUM["beta1"]) ** 2


def study(kept, budget=24, **options):
    return Study("bowl", "adam", spaces.space("adam", 10), budget, kept, **options)


def evaluate(asked):
    return [loss(keywords) for _, keywords in asked]


@pytest.fixture
def opened():
    """Opens storages that are closed when the test is over."""
    with ExitStack() as stack:
        yield lambda url, folder: stack.enter_context(storage(url, folder))


class Killed(BaseException):
    """The end of a process in the middle of a trial, as far as the storage can tell."""


def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path, opened):
    (tmp_path / "whole").mkdir()
    (tmp_path / "torn").mkdir()
    whole = study(opened(None, tmp_path / "whole"))
    search([whole], evaluate)
    for left in (2, 5, 12):  # in the quasi-random start, and in TPE
        counted = iter(range(100))

        def die_later(asked, counted=counted, left=left):
            if next(counted) == left:
                raise Killed
            return evaluate(asked)

        with pytest.raises(Killed):
            search([study(opened(None, tmp_path / "torn"))], die_later)
    torn = study(opened(None, tmp_path / "torn"))
    search([torn], evaluate)
    assert torn.trials == whole.trials
    assert len(whole.trials) == 24


def test_it_finds_an_optimum_outside_of_the_first_range_better_than_chance(tmp_path, opened):
    first = {each.name: each for each in spaces.space("adam", 10)}
    assert first["lr"].high < OPTIMUM["lr"]
    guided, random = (
        study(opened(None, tmp_path), 40),
        Study("chance", "adam", spaces.space("adam", 10), 40, opened(None, tmp_path), random=True),
    )
    search([guided, random], evaluate)
    best, chance = (min(trial.score for trial in each.trials) for each in (guided, random))
    assert best < chance
    assert max(float(str(trial.keywords["lr"])) for trial in guided.trials) > OPTIMUM["lr"] / 2


def test_every_study_gets_the_same_number_of_trials(tmp_path, opened):
    kept = opened(None, tmp_path)
    studies = [Study(name, name, spaces.space(name, 10), 11, kept) for name in ("sgd", "adam", "momentum")]
    search(studies, lambda asked: [float(place) for place, _ in asked])
    assert [len(each.trials) for each in studies] == [11, 11, 11]
    search(studies, lambda asked: pytest.fail("a finished study asks for nothing"))


def test_the_first_trial_is_the_optimizers_own_setting(tmp_path, opened):
    number, keywords = study(opened(None, tmp_path)).ask()
    assert (number, keywords) == (0, {"lr": 0.003, "betas": (0.9, 0.999)})


@pytest.mark.parametrize("url", ["sqlite:///studies.db", "mysql://u@h/db", "nonsense"])
def test_a_storage_of_another_kind(tmp_path, opened, url):
    with pytest.raises(LabError, match="is no PostgreSQL database"):
        opened(url, tmp_path)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/lab", "postgresql://127.0.0.1:none/lab"])
def test_a_storage_that_can_not_be_reached(tmp_path, opened, url):
    with pytest.raises(LabError, match="can't reach the study storage"):
        opened(url, tmp_path)


def _binary(name):
    """A program of Debian's PostgreSQL, which keeps them out of the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    """A throwaway cluster on the loopback interface, run by an ordinary user as PostgreSQL insists."""
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("postgresql")
    as_user = {}
    if os.getuid() == 0:
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody")
        # pytest's folders are for their owner alone; the server must reach its own through them.
        temporary = Path(tempfile.gettempdir())
        for parent in folder.parents:
            if temporary in parent.parents:
                parent.chmod(0o755)

    def call(*words):
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60, **as_user)

    port = _free_port()
    data, log = str(folder / "data"), str(folder / "log")
    call(initdb, "-D", data, "-U", "lab", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    call(pg_ctl, "-D", data, "-l", log, "-o", settings, "-w", "start")
    yield f"postgresql://lab@127.0.0.1:{port}/postgres"
    call(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")


def test_two_machines_share_a_study_in_postgresql(postgresql, tmp_path, opened):
    one, other = (study(opened(postgresql, tmp_path), 14, shared=True) for _ in range(2))
    while not one.done:
        # Each asks while the other's trial is under way.
        asked = [(machine, *machine.ask()) for machine in (one, other)]
        assert asked[0][2] != asked[1][2]
        for machine, number, keywords in asked:
            machine.tell(number, loss(keywords))
    assert other.done
    assert one.trials == other.trials
    assert len(one.trials) == 14
    assert len({tuple(trial.keywords.items()) for trial in one.trials}) == 14
    # A third that comes late finds it finished.
    late = study(opened(postgresql, tmp_path), 14, shared=True)
    assert late.trials == one.trials
