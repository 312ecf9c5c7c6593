"""A sweep outlives its workers and its scheduler: each cell has one row, and the numbers of an undisturbed run."""

import killed_workers
import pytest


def check(found):
    counts = {name: getattr(found, name) for name in ("rows", "keys", "ended", "right")}
    assert counts == dict.fromkeys(counts, found.cells)
    assert found.killed and found.started == 2, "a worker was killed, and the scheduler"


def test_a_sweep_outlives_a_worker_and_its_scheduler(tmp_path):
    asked = killed_workers.of_cells(10)
    check(killed_workers.disturbed(tmp_path / "killed", asked, every=0.1, scheduler_at=5, kills=1))


@pytest.mark.thorough
def test_a_sweep_outlives_many_workers(tmp_path):
    check(killed_workers.disturbed(tmp_path / "killed", killed_workers.of_cells(30), every=4, scheduler_at=15))
