"""Cells placed by a scheduler of Dask: the same answers as here, and a line for each way in which a cluster fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import cluster
import pandas as pd
import psutil
import pytest

import compare
from compare import contract
from compare.cells import cells, placed, placing
from compare.checking.judging.sharpness import sharpness
from compare.grading import run

SLEEP = "import sys, time\nopen(sys.argv[1] + '.at-work', 'w').close()\ntime.sleep(300)\n"
# cell, its watcher, the worker
END_WORKER = "import os, psutil, signal\nos.kill(psutil.Process().parent().parent().pid, signal.SIGKILL)\n"
LIST = """
import json, pathlib, sys
from compare.cells.cells import write_result
spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
folder, file = pathlib.Path(spec["folder"]), pathlib.Path(spec["file"])
found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
write_result(spec["result"], {"status": "ok", "found": found, "names": [folder.name, file.name, file.read_text()]})
"""
COUNT = "import os, sys\nopen(os.environ['COUNTED'], 'a').write('x')\nos.kill(os.getpid(), 9)\n"
DENSE = """
import numpy as np


class Dense:
    def __init__(self, inputs, outputs):
        self.w, self.b = np.random.randn(inputs, outputs), np.zeros(outputs)

    def forward(self, x):
        return x @ self.w + self.b
"""
SPEC = {"task": "import", "implementation": "numpy-fused", "threads": 1, "limit": 60}


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A scheduler that gives a task up with its first worker, and two workers that know four more modules."""
    folder = tmp_path_factory.mktemp("cluster")
    for name, text in {"sleep": SLEEP, "end_worker": END_WORKER, "count": COUNT, "list": LIST}.items():
        (folder / f"cell_that_{name}.py").write_text(text)
    path = {"PYTHONPATH": f"{cells.ROOT}{os.pathsep}{folder}"}
    with cluster.cluster(folder, **path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as made:
        for name in ("first", "second"):
            made.work(name, nanny=True)
        yield made


def at_work(name):
    """Processes of cells of a module."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if f"cell_that_{name}" in (process.info["cmdline"] or []):
            found.append(process)
    return found


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (compare.parity, {"implementations": "numpy-layers,torch", "few": True}),
        (compare.accuracy, {"implementations": "numpy-layers,numpy-fused", "epochs": 1, "seeds": 1}),
        (compare.defects, {"implementations": "numpy-layers", "only": ["every tied"], "seeds": 1}),
        (sharpness, {"implementations": "numpy-fused", "cases": 5, "threads": (1,)}),
    ],
    ids=["parity", "accuracy", "defects", "sharpness"],
)
def test_rows_are_those_of_this_machine(workers, function, settings):
    source = {} if function is sharpness else {"data_source": "sample"}
    here = function(**settings, **source, progress=False)
    with placing.on(workers.address):
        there = function(**settings, **source, progress=False)
    assert len(here)
    timed = [name for name in ("seconds",) if name in here]
    pd.testing.assert_frame_equal(there.drop(columns=timed), here.drop(columns=timed))


def test_submissions_are_graded_by_workers(workers, tmp_path):
    handed_in = tmp_path / "submissions"
    (handed_in / "a_folder").mkdir(parents=True)
    (handed_in / "a_folder" / "dense.py").write_text(DENSE)
    (handed_in / "wrong.py").write_text(DENSE.replace("+ self.b", "- self.b"))
    (handed_in / "empty.py").write_text("")
    for number in range(2):  # more than one submission may hold: refused here, and not on its way
        (handed_in / "large").mkdir(exist_ok=True)
        (handed_in / "large" / f"{number}.bin").write_bytes(bytes(11 << 20))
    given = {"seed": 1, "jobs": 2, "show": False}
    here, there = (
        run.grade(handed_in, tmp_path / str(address), scheduler=address, **given).rows
        for address in (None, workers.address)
    )
    assert [(r.name, r.status, r.score, r.differing) for r in there] == [
        (r.name, r.status, r.score, r.differing) for r in here
    ]
    assert [row.status for row in there] == ["agrees", "empty", "unreadable", "differs"]


def test_what_may_not_go_anywhere_stays(workers):
    with placing.on(workers.address):
        given = {**SPEC, "environment": {"COUNTED": "/dev/null"}}
        assert cells.run([given], module="cell_that_count")[0].error.startswith("the process ended with exit code 1")
        there = cells.run([given], module="cell_that_count", anywhere=True)[0]
        assert there.error.startswith("the process ended with signal SIGKILL")
    assert cells.elsewhere.get() is None


def test_files_and_folders_of_a_spec_go_with_it_under_their_names(workers, tmp_path, monkeypatch):
    given = tmp_path / "a submission"
    (given / "inner").mkdir(parents=True)
    (given / "conv.py").write_text("one")
    (given / "inner" / "pool.py").write_text("two")
    (given / "link").symlink_to("/etc/hostname")
    (tmp_path / "rules.toml").write_text("three")
    spec = {**SPEC, "folder": str(given), "file": str(tmp_path / "rules.toml")}
    with placing.on(workers.address):
        (result,) = cells.run([spec], module="cell_that_list", anywhere=True)
        monkeypatch.setattr(placed, "MOST", 5)
        with pytest.raises(ValueError, match="found 6 bytes, wanted at most 5"):
            cells.run([spec], module="cell_that_list", anywhere=True)
    assert result.meta["found"] == {"conv.py": "one", "inner/pool.py": "two"}
    assert result.meta["names"] == ["a submission", "rules.toml", "three"]
    assert result.spec == spec


def test_a_cell_that_crashes_or_hangs_is_not_tried_again(workers, tmp_path):
    counted = tmp_path / "counted"
    with placing.on(workers.address):
        given = {**SPEC, "environment": {"COUNTED": str(counted)}}
        crashed = cells.run([given], module="cell_that_count", anywhere=True)[0]
        hung = cells.run([{**SPEC, "limit": 1}], module="cell_that_sleep", anywhere=True)[0]
    assert (crashed.status, counted.read_text()) == ("crashed", "x")
    assert (hung.status, hung.error) == ("hung", "no result within 1 s")


def test_an_interrupt_ends_the_cells_on_their_workers(workers):
    began = threading.Event()

    def interrupt():
        wait_for(lambda: len(at_work("sleep")) >= 2)
        began.set()
        os.kill(os.getpid(), signal.SIGINT)

    with placing.on(workers.address):
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            cells.run([SPEC] * 4, module="cell_that_sleep", anywhere=True)
        thread.join()
        assert began.is_set()
        wait_for(lambda: not at_work("sleep"))
        assert cells.run([SPEC], anywhere=True)[0].status == "ok", "and the workers take others"


def test_a_cell_whose_worker_dies_each_time_is_lost_and_no_verdict(workers, monkeypatch):
    monkeypatch.setattr(placing, "AGAIN", 1)
    with placing.on(workers.address):
        lost, good = cells.run([SPEC], module="cell_that_end_worker", anywhere=True) + cells.run([SPEC], anywhere=True)
    assert (lost.status, good.status) == ("lost", "ok")
    assert lost.error.startswith("handed in 2 times, and each time its workers died")
    with pytest.raises(contract.UndecidedError, match="^numpy-fused: handed in 2 times"):
        contract.demand([lost])


def test_a_cell_whose_worker_is_closed_is_run_by_another(workers, tmp_path):
    """As on a machine that is shut down, and has a few seconds to say so."""
    spec = {**SPEC, "limit": 2}

    def close():
        wait_for(lambda: at_work("sleep"))
        os.kill(workers.processes["first"].pid, signal.SIGTERM)
        workers.processes.pop("first").wait()

    with placing.on(workers.address):
        thread = threading.Thread(target=close)
        thread.start()
        results = cells.run([spec] * 2, module="cell_that_sleep", anywhere=True)
        thread.join()
    workers.work("first", nanny=True)
    assert [result.status for result in results] == ["hung", "hung"]


def test_what_a_worker_sends_is_believed_in_nothing():
    away = object.__new__(placing._Away)
    away.spec = SPEC
    for sent in ({}, {"code": 0}, [], 0, dict.fromkeys(placing.ENDED, "x")):
        result = cells.judged(SPEC, away._answer(sent))
        assert (result.status, result.arrays, result.meta) == ("crashed", {}, {}), sent
    with pytest.raises(contract.UndecidedError, match="^tcp://a: found numpy 1, wanted 2, as here$"):
        away._answer("tcp://a: found numpy 1, wanted 2, as here")


def test_a_scheduler_that_dies_is_no_verdict(workers):
    def end():
        wait_for(lambda: at_work("sleep"))
        workers.kill("scheduler")

    with placing.on(workers.address):
        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(contract.UndecidedError, match="the scheduler is gone"):
            cells.run([SPEC], module="cell_that_sleep", anywhere=True)
        thread.join()
    workers.schedule()
    wait_for(lambda: not at_work("sleep"))


def test_other_code_is_refused_and_both_versions_are_named(workers, tmp_path):
    for room in ("compare", "numpy_cnn"):
        shutil.copytree(cells.ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "compare" / "plain.py"
    changed.write_text(changed.read_text() + "# another\n")
    here = placed.versions()["numpy-cnn-parity"]
    workers.work("other", PYTHONPATH=str(tmp_path))
    try:
        wait_for(lambda: "Registered to" in (workers.folder / "other.log").read_text())
        wanted = f"found numpy-cnn-parity .*, code [0-9a-f]{{12}}, wanted {here}, as here"
        with pytest.raises(contract.UndecidedError, match=wanted), placing.on(workers.address):
            pass
    finally:
        workers.kill("other")


def command(*arguments):
    """(exit code, what stands on stderr, seconds)."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "compare", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(cells.ROOT)},
    )
    return done.returncode, done.stderr, time.monotonic() - begin


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("tcp://127.0.0.1:1", 3, "Error: tcp://127.0.0.1:1: found none \\(.* refused\\), wanted a scheduler of Dask"),
        ("tls://127.0.0.1:1", 3, r"Error: tls://127.0.0.1:1: found none \(no certificate of ours"),
        ("127.0.0.1:8786", 2, "Error: --scheduler: found '127.0.0.1:8786', wanted an address such as tcp://host:8786"),
    ],
)
def test_no_scheduler_there_is_one_line(address, code, said):
    found, errors, seconds = command("parity", "--implementations", "numpy-fused", "--scheduler", address)
    assert found == code and seconds < 10
    assert len(errors.splitlines()) == 1
    assert re.match(said, errors)


def test_dask_is_loaded_where_it_is_used():
    """`check` goes without it, and every command starts quickly."""
    found = "print({'dask', 'distributed', 'pyarrow'} & set(sys.modules))"
    code = f"import sys, compare.cli, compare.cells.placing; {found}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cells.ROOT, check=True)
    assert done.stdout == "set()\n"


def test_workers_without_a_slot_are_told_how_to_have_one(tmp_path, monkeypatch):
    monkeypatch.setattr(placing, "CONNECT", 1)
    with cluster.cluster(tmp_path / "cluster") as made:
        made.work("slotless", slots=0)
        wanted = pytest.raises(contract.UndecidedError, match='found no worker .*--resources "cell=1"')
        with wanted, placing.on(made.address):
            pass
