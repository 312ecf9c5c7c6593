"""A cell that hangs, crashes, raises or is orphaned is a line of the answer, and leaves no process behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from compare import contract, environment
from compare.cells import cells, process


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Make implementations called `name` out of source text, for cells to import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(name, text):
        (tmp_path / f"{name}_code.py").write_text(text)
        return name

    return make


def run_cell(name, tmp_path, limit=60.0, task="import", package="numpy", **more):
    """Run one cell of a made implementation: a worker that knows it by its source file."""
    starter = tmp_path / f"{name}_worker.py"  # a file of the same second and size is taken for this one
    starter.write_text(
        "import sys\n"
        "from compare import contract\nfrom compare.cells import worker\n"
        f"contract.ENTRIES[{name!r}] = contract.Entry({name!r}, '{name}_code:CNN', {package!r}, 'no way')\n"
        "worker.main(sys.argv[1])\n"
    )
    spec = {"task": task, "implementation": name, "threads": 1, "limit": limit, **more}
    return cells.run([spec], module=starter.stem)[0]


def test_a_good_cell_gives_its_result(code, tmp_path):
    result = run_cell(code("good", "class CNN: pass"), tmp_path)
    assert (result.status, result.meta["version"]) == ("ok", np.__version__)


def test_what_it_prints_is_only_a_log(code, tmp_path):
    result = run_cell(code("loud", 'print(\'{"status": "ok"}\')\nraise SystemExit(0)'), tmp_path)
    assert result.status == "crashed"
    assert "exit code 0 and left no result" in result.error
    assert '"status": "ok"' in result.log


def test_a_framework_that_is_not_installed_is_missing_with_its_reason(code, tmp_path):
    result = run_cell(code("absent", "import no_such_framework"), tmp_path, package="no_such_framework")
    assert (result.status, result.error) == ("missing", "ModuleNotFoundError: No module named 'no_such_framework'")
    assert contract.note_missing([result], by_name=False) == {"absent": result.error}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import math\nclass CNN:\n    x = mth.pi", "NameError at mistake_code.py:3: name 'mth' is not defined"),
        ("import nunpy", "ModuleNotFoundError at mistake_code.py:1: No module named 'nunpy'"),
        ("import compare.no_room", "ModuleNotFoundError at mistake_code.py:1: No module named 'compare.no_room'"),
        ("from compare import no_name", "ImportError at mistake_code.py:1: cannot import name 'no_name'"),
        ("class CNN:\n    def", "SyntaxError at .*: invalid syntax"),
        ("import json\nclass NCN: pass", "AttributeError at worker.py:.* has no attribute 'CNN'"),
    ],
)
def test_an_implementation_that_cannot_be_imported_by_its_own_mistake_is_a_failure_with_its_line(
    code, tmp_path, text, error
):
    result = run_cell(code("mistake", text), tmp_path)
    assert result.status == "raised"
    assert re.search(error, result.error)
    assert contract.note_missing([result], by_name=True) == {}


def test_a_framework_that_is_installed_and_broken_is_not_missing(code, tmp_path, monkeypatch):
    code("framework", "raise ImportError('libframework.so: cannot open shared object file')")
    monkeypatch.setitem(contract.ENTRIES, "broken", contract.Entry("broken", "", "", "pip install it"))
    result = run_cell(code("broken", "import framework_code"), tmp_path, package="framework_code")
    wanted = "cannot be imported: ImportError at framework_code.py:1: libframework.so: cannot open shared object file"
    assert (result.status, result.error) == ("raised", wanted)
    assert contract.note_missing([result], by_name=False) == {}
    with pytest.raises(contract.UnavailableError, match=f"^broken: {wanted}; install: pip install it$"):
        contract.note_missing([result], by_name=True)


def test_a_signal_without_a_name_is_a_crash(code, tmp_path):
    result = run_cell(code("realtime", "import os\nos.kill(os.getpid(), 40)"), tmp_path)
    assert (result.status, result.error) == ("crashed", "the process ended with signal 40 and left no result")


SWEEP = """
import pathlib, shutil, sys
given = pathlib.Path(sys.argv[1]).parent
class CNN: pass
"""


@pytest.mark.parametrize("gone", ["given", "given.parent"])
def test_a_temporary_folder_that_somebody_swept_away_is_a_crash_in_plain_words(code, tmp_path, gone):
    name = code("swept", f"{SWEEP}shutil.rmtree({gone})")
    result = run_cell(name, tmp_path)
    assert result.status == "crashed"
    assert re.fullmatch(
        "the process ended with exit code 1 and left no result; .*cnn-compare-.* is gone: "
        "something else cleaned the temporary files while it ran",
        result.error,
    )


def test_the_next_cell_does_not_mind_that_the_folder_of_all_was_swept_away(code, tmp_path):
    starter = tmp_path / "sweeper.py"
    starter.write_text(f"{SWEEP}shutil.rmtree(given.parent)")
    spec = {"threads": 1, "limit": 60}
    results = cells.run([spec, spec], module="sweeper")
    assert [result.status for result in results] == ["crashed", "crashed"]


def test_inputs_that_were_swept_away_are_nothing_that_the_implementation_raised(code, tmp_path):
    result = run_cell(code("fine", "class CNN: pass"), tmp_path, task="accuracy", inputs=str(tmp_path / "data.npz"))
    assert result.status == "crashed"
    assert f"{tmp_path / 'data.npz'} is gone" in result.error


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("b'PK'", r"a result that cannot be read \(\w+: .*\)"),
        ("b''", r"a result that cannot be read \(\w+: .*\)"),
        ("made(meta=np.array('{'))", r"a result that cannot be read \(JSONDecodeError: .*\)"),
        ("made(a=np.ones(3))", r"a result that cannot be read \(KeyError: .*\)"),
        ("made(meta=np.array('[1]'))", r"a result that cannot be read \(\w+: .*\)"),
        ("made(meta=np.array('{}'))", "a result that names no status"),
        ('made(meta=np.array(\'{"status": "splendid"}\'))', "a result that names no status"),
    ],
)
def test_a_malformed_result_file_is_a_crash_in_plain_words(code, tmp_path, content, what):
    text = f"""
import io, os, pathlib, sys
import numpy as np
def made(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
(pathlib.Path(sys.argv[1]).parent / "result.npz").write_bytes({content})
os._exit(0)
"""
    result = run_cell(code("forged", text), tmp_path)
    assert result.status == "crashed"
    assert re.fullmatch(f"the process ended with exit code 0 and left {what}", result.error)


def test_a_process_that_cannot_be_started_is_a_row_too(monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    seen = []
    results = cells.run([{"threads": 1, "limit": 9}] * 2, done=seen.append)
    assert [r.status for r in results] == ["crashed"] * 2 and seen == results
    assert results[0].error == "the process could not be started: [Errno 12] Cannot allocate memory"


def test_a_segfault_is_a_crash_and_named(code, tmp_path):
    result = run_cell(code("segfault", "import ctypes\nctypes.string_at(0)"), tmp_path)
    assert (result.status, result.error) == ("crashed", "the process ended with signal SIGSEGV and left no result")


def test_a_cell_over_its_time_is_killed_with_its_grandchildren(code, tmp_path):
    text = f"""
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
time.sleep(600)
"""
    begin = time.monotonic()
    result = run_cell(code("endless", text), tmp_path, limit=3)
    assert time.monotonic() - begin < 5
    assert (result.status, result.error) == ("hung", "no result within 3 s")
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid, seconds=5):
    """Whether a process ends, or is a zombie that nobody waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("number", "code_wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_command_leaves_no_process(number, code_wanted):
    """Ctrl-C, a polite kill, and one that cannot be caught: the worker watches a pipe that only its parent holds."""
    command = [sys.executable, "-m", "compare", "accuracy", "--implementations", "numpy-layers", "--data", "sample"]
    process = subprocess.Popen(
        [*command, "--epochs", "1000"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=cells.ROOT,
        start_new_session=True,
        # a shell lets what it starts in the background ignore Ctrl-C, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    parent = psutil.Process(process.pid)
    end = time.monotonic() + 60
    while not (
        workers := [c for c in parent.children(recursive=True) if "compare.cells.worker" in " ".join(c.cmdline())]
    ):
        assert time.monotonic() < end, "no worker started"
        time.sleep(0.1)
    time.sleep(1)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code_wanted
    assert "Traceback" not in errors
    assert all(gone(worker.pid) for worker in workers)


def test_results_come_in_the_order_of_the_specs():
    specs = [{"task": "import", "implementation": "numpy-layers", "threads": n, "limit": 60} for n in (1, 2, 3)]
    seen = []
    results = cells.run(specs, jobs=2, done=lambda result: seen.append(result.spec["threads"]))
    assert [result.spec["threads"] for result in results] == [1, 2, 3]
    assert sorted(seen) == [1, 2, 3]


def test_result_files_hold_arrays_and_meta_and_are_written_whole(tmp_path):
    path = tmp_path / "r.npz"
    cells.write_result(path, {"a": [1, None, "x"]}, {"b|c": np.arange(3, dtype=np.float32)})
    arrays, meta = cells.read_arrays(path)
    assert meta == {"a": [1, None, "x"]}
    assert arrays["b|c"].dtype == np.float32
    with pytest.raises(TypeError):
        cells.write_result(tmp_path / "bad.npz", {"a": object()})
    assert [file.name for file in tmp_path.iterdir()] == ["r.npz"]


def test_a_worker_has_the_threads_it_was_given_and_no_home_of_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    environment = process.environment_of(2, tmp_path)
    assert {environment[name] for name in process.THREAD_VARIABLES} == {"2"}
    assert environment["KERAS_HOME"] == str(tmp_path)


def test_the_package_loads_no_framework_and_no_pandas():
    code = "import compare, sys, json; print(json.dumps([m for m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cells.ROOT, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"torch", "tensorflow", "keras", "jax", "pandas", "matplotlib", "numpy_cnn"}


def test_no_implementation_imports_another_or_compare():
    rooms = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
    for room in rooms[:3]:
        for file in (cells.ROOT / room).rglob("*.py"):
            words = [line.split()[1].partition(".")[0] for line in file.read_text().splitlines() if is_import(line)]
            assert not set(words) & (set(rooms) - {room}), file


def test_checks_of_arrays_are_the_same_in_both_frameworks():
    first, second = (cells.ROOT / room / "checks.py" for room in ("torch_cnn", "keras_cnn"))
    assert first.read_bytes() == second.read_bytes(), f"copy {first.relative_to(cells.ROOT)} over the other"


def test_plain_files_are_the_same_everywhere():
    rooms = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
    first, *others = (cells.ROOT / room / "plain_files.py" for room in rooms)
    for other in others:
        assert first.read_bytes() == other.read_bytes(), f"copy {first.relative_to(cells.ROOT)} over the others"


def test_the_models_hold_no_checks():
    for room in ("torch_cnn", "keras_cnn"):
        text = (cells.ROOT / room / "model.py").read_text()
        assert 30 <= len(text.splitlines()) <= 50 and "raise" not in text and "assert" not in text, room


def is_import(line):
    return line.strip().startswith(("import ", "from "))


def test_names_prefixes_and_near_misses():
    assert contract.select(None) == list(contract.ENTRIES)
    assert contract.select("keras") == [name for name in contract.ENTRIES if name.startswith("keras-")]
    assert contract.select(["torch", "numpy-layers"]) == ["numpy-layers", "torch"]
    with pytest.raises(ValueError, match="found 'pytroch', wanted one of .* did you mean 'torch'"):
        contract.select("pytroch")
    with pytest.raises(ValueError, match="found ''"):
        contract.select("")
    with pytest.raises(ValueError, match="found 'num'"):
        contract.select("num")


def test_the_processor_is_named_without_asking_for_a_second(tmp_path, monkeypatch):
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: A Fast One @ 3.00GHz\nmodel name\t: another\n")
    monkeypatch.setitem(sys.modules, "cpuinfo", None)
    assert environment.processor(listed) == "A Fast One @ 3.00GHz"


def test_the_processor_is_named_where_no_file_names_it(tmp_path, monkeypatch):
    asked = SimpleNamespace(get_cpu_info=lambda: {"brand_raw": "A Fast One"})
    monkeypatch.setitem(sys.modules, "cpuinfo", asked)
    (tmp_path / "empty").write_text("Hardware\t: a board\n")
    assert environment.processor(tmp_path / "empty") == environment.processor(tmp_path / "none") == "A Fast One"
