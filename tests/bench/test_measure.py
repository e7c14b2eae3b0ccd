"""The schedule, with children that only take notes; and what happens when one of them dies."""

import itertools

import pytest

from adamas.lab.bench.cases import P1
from adamas.lab.bench.child import ContenderError
from adamas.lab.bench.measure import MEMORY, Settings, run_case

ENTRIES = [entry for entry in P1.entries if entry.adapter.startswith("torch-")][:3]
NAMES = [entry.name for entry in ENTRIES]
KERNELS = ["copy", "triad", "triad in place"]


class Stage:
    """Starts children that note in `log` what they are asked, one after the other."""

    def __init__(self, trouble=None):
        self.log, self.closed, self.trouble = [], [], trouble or {}

    def __call__(self, name, job, threads):
        return Player(self, name, job, threads)

    @property
    def turns(self):
        return [asked[:2] for asked in self.log if asked[2] == "chunk"]


class Player:
    def __init__(self, stage, name, job, threads):
        self.stage, self.name, self.job, self.threads, self.alive = stage, name, job, threads, True

    def ready(self):
        self._maybe("setup")
        return {"elements": 10} if self.name == MEMORY else {"traffic": {"param": 4, "grad": 4, "state": 8}}

    def ask(self, **request):
        assert self.alive, f"{self.name} has been closed"
        self.stage.log.append((self.name, request["kernel"], request["do"], request.get("calls")))
        self._maybe(request["do"])
        return {"seconds": 0.004 if request["do"] == "warmup" else 0.004 * request["calls"]}

    def close(self):
        self.alive = False
        self.stage.closed.append(self.name)

    def _maybe(self, when):
        error = self.stage.trouble.pop((self.name, when), None)
        if error:
            raise error


def measure(stage, rounds=4, starts=1):
    return run_case(P1, ENTRIES, Settings(rounds=rounds, starts=starts), start=stage)


def test_everyone_takes_turns():
    stage = Stage()
    run = measure(stage)
    a_round = [(name, "step") for name in NAMES] + [(MEMORY, kernel) for kernel in KERNELS]
    assert stage.turns == 4 * a_round
    assert {len(lane.seconds) for lane in run.lanes + run.memory} == {4}


def test_nobody_is_timed_twice_in_a_row():
    stage = Stage()
    measure(stage)
    assert all(first != second for first, second in itertools.pairwise(stage.turns))


def test_a_chunk_lasts_at_least_50_ms():
    stage = Stage()
    measure(stage)
    assert {calls for *_, do, calls in stage.log if do == "chunk"} == {13}  # 13 x 4 ms


def test_all_warm_up_before_the_first_chunk():
    stage = Stage()
    measure(stage)
    order = [do for _, _, do, _ in stage.log]
    assert order == ["warmup"] * 6 + ["chunk"] * 24


@pytest.mark.parametrize("when", ["setup", "warmup", "chunk"])
def test_the_others_go_on_when_one_dies(when):
    dead = NAMES[1]
    stage = Stage({(dead, when): ContenderError(dead, "its process was killed by SIGSEGV")})
    run = measure(stage)
    assert run.failed == {dead: "its process was killed by SIGSEGV"}
    assert [len(lane.seconds) for lane in run.lanes] == [4, 4]
    assert dead not in [lane.name for lane in run.lanes]


def test_without_a_memory_limit_the_contenders_are_still_timed():
    run = measure(Stage({(MEMORY, "chunk"): ContenderError(MEMORY, "gone")}))
    assert (run.memory, list(run.failed)) == ([], [MEMORY])
    assert [len(lane.seconds) for lane in run.lanes] == [4, 4, 4]


@pytest.mark.parametrize("when", ["setup", "warmup", "chunk"])
def test_interrupt_keeps_what_there_is_and_ends_the_children(when):
    stage = Stage({(NAMES[1], when): KeyboardInterrupt()})
    run = measure(stage)
    assert run.interrupted
    assert stage.closed == [*NAMES, MEMORY]
    if when == "chunk":
        assert [len(lane.seconds) for lane in run.lanes] == [1, 0, 0]


def test_all_processes_are_started_anew():
    stage = Stage()
    run = measure(stage, rounds=2, starts=3)
    assert stage.closed == 3 * [*NAMES, MEMORY]
    order = [do for _, _, do, _ in stage.log]
    assert order == 3 * (["warmup"] * 6 + ["chunk"] * 12)
    assert [lane.name for lane in run.lanes + run.memory] == NAMES + KERNELS
    assert {len(lane.seconds) for lane in run.lanes + run.memory} == {6}
    assert run.rounds == 2


@pytest.mark.parametrize("when", ["setup", "warmup", "chunk"])
def test_who_dies_in_a_later_start_leaves(when):
    class Later(Stage):
        def __call__(self, name, job, threads):
            if name == NAMES[1] and MEMORY in self.closed:
                self.trouble[name, when] = ContenderError(name, "gone")
            return super().__call__(name, job, threads)

    stage = Later()
    run = measure(stage, rounds=2, starts=3)
    assert run.failed == {NAMES[1]: "gone"}
    assert [lane.name for lane in run.lanes] == [NAMES[0], NAMES[2]]
    assert [len(lane.seconds) for lane in run.lanes] == [6, 6]
    assert stage.closed.count(NAMES[1]) == 2  # nobody starts it again


def test_interrupt_in_a_later_start_keeps_what_there_is():
    class Later(Stage):
        def __call__(self, name, job, threads):
            if name == NAMES[1] and MEMORY in self.closed:
                self.trouble[name, "chunk"] = KeyboardInterrupt()
            return super().__call__(name, job, threads)

    run = measure(Later(), rounds=2, starts=3)
    assert run.interrupted
    assert [len(lane.seconds) for lane in run.lanes] == [3, 2, 2]


def test_missing_peers_are_not_started(monkeypatch):
    monkeypatch.setattr("adamas.lab.bench.contenders.find_spec", lambda name: None)
    stage = Stage()
    run = measure(stage)
    assert run.missing == dict.fromkeys(NAMES, "torch is not installed")
    assert (stage.log, stage.closed) == ([], [])
