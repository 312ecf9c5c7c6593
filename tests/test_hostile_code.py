"""Code that means harm, or is only careless: it costs its own cell, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from strangers import CONV
from test_cells import code, gone, run_cell  # noqa: F401 - `code` is a fixture

import compare
from compare import cli, plain_files
from compare.cells import cells, guard, process
from compare.commands import failure

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets nothing get out from below a process")
FOLDER = "import os, pathlib, sys, time\nimport numpy as np\nfolder = pathlib.Path(sys.argv[1]).parent\n"

LEFT = {
    "a pipe for a result": "os.mkfifo(folder / 'result.npz'); os._exit(0)",
    "pipes for all": "[os.mkfifo(folder / n) for n in ('result.npz', 'partial.npz')]; os.remove(folder / 'log.txt'); "
    "os.mkfifo(folder / 'log.txt'); os._exit(0)",
    "a folder for a result": "os.mkdir(folder / 'result.npz'); os._exit(0)",
    "a device for a result": "os.symlink('/dev/zero', folder / 'result.npz'); os._exit(0)",
    "a sparse result": "os.truncate(os.open(folder / 'result.npz', os.O_CREAT | os.O_RDWR), 1 << 29); os._exit(0)",
    "a result that unpacks": "np.savez_compressed(folder / 'result.npz', a=np.zeros(9**7), meta='{}'); os._exit(0)",
    "a result of objects": "np.savez(folder / 'result.npz', meta=np.array([{}], object)); os._exit(0)",
    "a status that is a list": "np.savez(folder / 'result.npz', meta='{\"status\": [1]}'); os._exit(0)",
    "an endless status": "np.savez(folder / 'result.npz', meta='{\"status\": \"' + 'x' * 9**7 + '\"}'); os._exit(0)",
    "brackets": "np.savez(folder / 'result.npz', meta='[' * 100_000); os._exit(0)",
    "a gigabyte of output": "os.truncate(1, 1 << 30); os._exit(0)",
    "its own folder moved": "os.rename(folder, str(folder) + 'x'); os._exit(0)",
}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_left_is_believed_in_nothing(code, tmp_path, what):  # noqa: F811
    before = psutil.Process().memory_info().rss
    begin = time.monotonic()
    result = run_cell(code("leaves", FOLDER + LEFT[what]), tmp_path, limit=20)
    assert result.status == "crashed", result
    assert len(result.error) < 1000 and "\n" not in result.error and len(result.log) <= process.LOG
    assert time.monotonic() - begin < 10
    assert psutil.Process().memory_info().rss - before < 200 << 20


def test_a_long_message_of_an_exception_is_cut(code, tmp_path):  # noqa: F811
    result = run_cell(code("talks", "raise ValueError('x' * 100_000_000)"), tmp_path)
    assert result.status == "raised" and len(result.error) < 3000


ESCAPES = {
    "a session of its own": "os.setsid()",
    "a group of its own": "os.setpgid(0, 0)",
    "twice removed": "os.setsid(); os.fork() and os._exit(0)",
    "without its environment": "os.setsid(); os.fork() and os._exit(0); "
    "os.execve(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)'], {})",
}


@LINUX
@pytest.mark.parametrize(
    ("way", "ends"), [(way, "os._exit(0)") for way in ESCAPES] + [("without its environment", "time.sleep(60)")]
)
def test_nothing_that_a_cell_started_is_left(code, tmp_path, way, ends):  # noqa: F811
    mark = tmp_path / "pids"
    text = f"""
import os, sys, time
for _ in range(5):
    if not os.fork():
        {ESCAPES[way]}
        time.sleep(60)
        os._exit(0)
time.sleep(0.5)
import psutil
me = psutil.Process().parent()
open({str(mark)!r}, "w").write(" ".join(str(p.pid) for p in me.children(recursive=True)))
{ends}
"""
    result = run_cell(code("escapes", text), tmp_path, limit=3)
    assert result.status == ("hung" if "sleep" in ends else "crashed")
    pids = [int(pid) for pid in mark.read_text().split()]
    assert len(pids) >= 6
    assert [pid for pid in pids if not gone(pid, 1)] == []


CHECKED = """
import os, sys, time
import numpy as np
for _ in range(3):
    if not os.fork():
        {way}
        time.sleep(60)
        os._exit(0)
time.sleep(0.5)
import psutil
me = psutil.Process().parent()
open({mark!r}, "w").write(" ".join(str(p.pid) for p in me.children(recursive=True)))
"""


@LINUX
@pytest.mark.parametrize("way", ESCAPES)
@pytest.mark.parametrize("ends", ["", "os._exit(0)"])
def test_nothing_that_checked_code_started_is_left(tmp_path, way, ends):
    (tmp_path / "code.py").write_text(CHECKED.format(way=ESCAPES[way], mark=str(tmp_path / "pids")) + ends)
    with contextlib.suppress(ValueError):  # nothing in it to check
        compare.check(tmp_path / "code.py", timeout=60)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) >= 4
    assert [pid for pid in pids if not gone(pid, 1)] == []


def _kill_once_there_is(file, process):
    end = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.02)
    time.sleep(0.3)
    process.kill()
    process.wait()


STUCK = ["np.linalg.svd(np.ones((6000, 6000)))", "os.kill(os.getppid(), 9); time.sleep(60)"]


@LINUX
@pytest.mark.parametrize("stuck", STUCK)
def test_a_cell_in_one_long_call_ends_with_its_parent(tmp_path, stuck):
    """A thread of its own in Python would wait for the call to end."""
    (tmp_path / "stuck.py").write_text(
        f"import os, sys, time\nimport numpy as np\nprint('here', flush=True)\nopen({str(tmp_path / 'pid')!r}, 'w')"
        f".write(str(os.getpid()))\n{stuck}\n"
    )
    parent = "from compare.cells import cells; cells.run([{'threads': 1, 'limit': 60}], module='stuck')"
    path = os.pathsep.join((str(failure.ROOT), str(tmp_path)))
    process = subprocess.Popen([sys.executable, "-c", parent], env={**os.environ, "PYTHONPATH": path})
    _kill_once_there_is(tmp_path / "pid", process)
    assert gone(int((tmp_path / "pid").read_text()), 2)


@LINUX
@pytest.mark.parametrize("stuck", STUCK)
def test_checked_code_in_one_long_call_ends_with_its_parent(tmp_path, stuck):
    (tmp_path / "stuck.py").write_text(
        f"import os, time\nimport numpy as np\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{stuck}\n"
    )
    parent = f"import compare; compare.check({str(tmp_path / 'stuck.py')!r}, timeout=600)"
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=failure.ROOT, stderr=subprocess.DEVNULL)
    _kill_once_there_is(tmp_path / "pid", process)
    assert gone(int((tmp_path / "pid").read_text()), 2)


BEYOND = {
    "memory": "np.ones(1 << 42)",
    f"{guard.FILES} open files": f"held = [os.open('/dev/null', 0) for _ in range({guard.FILES})]",
    "1 GB of one file": "file = open('large', 'wb'); os.remove('large'); file.truncate(2 << 30)",
}


@LINUX
@pytest.mark.parametrize("limit", BEYOND)
@pytest.mark.parametrize("when", ["imported", "called"])
def test_limits_that_checked_code_meets_are_told_by_their_name(tmp_path, limit, when):
    line = BEYOND[limit]
    conv = CONV.replace("        self.last_input", f"        {line}\n        self.last_input")
    (tmp_path / "code.py").write_text("import os\nimport numpy as np\n" + (line + CONV if when == "imported" else conv))
    result = compare.check(tmp_path / "code.py")
    assert result.exit_code == 4 and f"(at the limit of {limit})" in " ".join(str(result).split()), f"\n{result}"


FLOOD = """
import os, sys, time
from compare.cells import guard
guard.PROCESSES = 20
guard.keep()
open({1!r}, "a").write("here")
for _ in range(8):
    if not os.fork():
        {0}
time.sleep(60)
"""


@LINUX
@pytest.mark.parametrize("way", ["pass", "os.setsid()", "os.setpgid(0, os.getpgid(os.getppid()))"])
def test_processes_beyond_their_limit_are_ended(tmp_path, way):
    """256 at once, each of which makes others, as a fork bomb does; not without an end, for the sake of the machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", FLOOD.format(way, str(tmp_path / "mark"))],
        env={**os.environ, "PYTHONPATH": str(failure.ROOT), guard.MARK: str(tmp_path)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.ending(process.wait(30)) == f"more than {guard.PROCESSES} processes"
    process.stdin.close()
    assert (tmp_path / "mark").exists()
    mark = f"{guard.MARK}={tmp_path}".encode()
    assert [pid for pid in psutil.pids() if mark in environment(pid)] == []


@LINUX
def test_a_machine_that_hides_its_load_ends_no_cell(monkeypatch):
    def hidden(*_):
        raise FileNotFoundError

    assert guard._tasks() > 1
    monkeypatch.setattr(guard, "open", hidden, raising=False)
    assert guard._tasks() == 0


def environment(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@LINUX
def test_a_cell_with_too_many_processes_says_so(code, tmp_path):  # noqa: F811
    text = f"import os, time\nfor _ in range({guard.PROCESSES + 100}):\n    os.fork() or time.sleep(60)\ntime.sleep(60)"
    result = run_cell(code("floods", text), tmp_path, limit=50)
    wanted = f"the process ended with more than {guard.PROCESSES} processes and left no result"
    assert (result.status, result.error) == ("crashed", wanted)


@LINUX
def test_limits_are_told_by_their_name(code, tmp_path):  # noqa: F811
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    result = run_cell(code("memory", f"import numpy as np\nnp.empty({2 * memory}, np.uint8)"), tmp_path)
    assert (
        result.status == "raised"
        and "MemoryError" in result.error
        and result.error.endswith("(at the limit of memory)")
    )
    text = f"file = open('/dev/shm/{os.getpid()}', 'wb')\nimport os\nos.remove(file.name)\nfile.truncate(2 << 30)"
    result = run_cell(code("file", text), tmp_path)
    assert result.status == "raised" and "File too large (at the limit of 1 GB of one file)" in result.error
    text = "import os\nheld = [os.open('/dev/null', 0) for _ in range(5000)]"
    result = run_cell(code("files", text), tmp_path)
    assert result.status == "raised" and "(at the limit of 4096 open files)" in result.error


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_full_temporary_folder_is_not_blamed_on_the_code(code, tmp_path, monkeypatch, when):  # noqa: F811
    if when == "before":
        monkeypatch.setattr(Path, "write_text", full)
        monkeypatch.setattr(Path, "mkdir", full)
        with pytest.raises(OSError, match="no room for temporary files, so nothing was judged"):
            cells.run([{"threads": 1, "limit": 9}])
    else:
        name = code("fine", "raise SystemExit(1)")
        monkeypatch.setattr(process, "ROOM", 1 << 60)
        with pytest.raises(OSError, match="no room for temporary files, so nothing was judged"):
            run_cell(name, tmp_path)


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_result_that_cannot_be_written_names_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left on device: '.*/r.npz'"):
        cells.write_result(tmp_path / "r.npz", {})
    assert list(tmp_path.iterdir()) == []


# --- commands that are ended


def command(tmp_path, *arguments):
    """A command of which all temporary files lie in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "compare", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=failure.ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_still_imports_gives_no_traceback(tmp_path, number):
    for wait in (0.06, 0.12, 0.25, 0.4):
        process = command(tmp_path, "list", "--implementations", "numpy-layers")
        time.sleep(wait)
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=30)
        if "Traceback" in errors:  # Python had not come to this project's first line
            assert str(failure.ROOT) not in errors, (wait, errors)
        assert process.returncode in (128 + number, -number, 0) or "Traceback" in errors
    assert list(tmp_path.iterdir()) == []


SWALLOWED = """
import os, sys, time, weakref
from compare import cli

class Thing:
    pass

def work(*_, **__):
    thing = Thing()
    watched = weakref.ref(thing, lambda _: os.kill(os.getpid(), int(sys.argv[1])))
    del thing
    time.sleep(20)
    print("it went on")

cli.cli.main = work
cli.main([])
"""


@LINUX
@pytest.mark.parametrize("number, ending", [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_a_callback_ends_the_command_too(number, ending):
    command = [sys.executable, "-c", SWALLOWED, str(int(number))]
    done = subprocess.run(command, cwd=failure.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == ending and "Traceback" not in done.stderr, done.stderr
    assert "it went on" not in done.stdout


@LINUX
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_what_an_ended_command_leaves_is_gone_by_the_next(tmp_path, number, monkeypatch):
    process = command(tmp_path, "accuracy", "--implementations", "numpy-layers", "--data", "sample", "--epochs", "1000")
    parent, end = psutil.Process(process.pid), time.monotonic() + 60
    while not (below := [each for each in parent.children(recursive=True) if "compare.cells.worker" in each.cmdline()]):
        assert time.monotonic() < end, "no worker started"
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.communicate(timeout=30)
    assert all(gone(each.pid) for each in below)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert list(tmp_path.iterdir()) == []
        return
    (left,) = tmp_path.iterdir()
    escaped = subprocess.Popen(["sleep", "60"], env={**os.environ, guard.MARK: str(left)})
    while not Path(f"/proc/{escaped.pid}/environ").read_bytes():  # the kernel is still loading it
        time.sleep(0.01)
    old = time.time() - 2 * plain_files.STALE
    os.utime(left, (old, old))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit):
        cli.main(["check", "--template"])
    assert list(tmp_path.iterdir()) == []
    assert escaped.wait(5) == -signal.SIGKILL
