"""What a cell starts ends with it, and a cell ends with whoever started it.

The process of a cell splits in two before anything is loaded: one half becomes the cell, the other stays and watches.
When the cell has ended, or the pipe of whoever started it closes, the watcher ends all that is left below it. On Linux
nothing gets out from below it: what leaves its session or its group, or loses its parent, becomes the watcher's own
child. The watcher waits in the kernel; a cell inside one long call of C cannot hold it up.

Elsewhere there is no watcher: what stays in the process group is killed with it, and the rest is not found.
"""

import contextlib
import os
import select
import signal
import sys
import time

SUBREAPER, DEATH_SIGNAL = 36, 1  # of prctl(2)
FILE = 1 << 30  # bytes of one file that a cell may write, its log among them
FILES = 4096  # open at once
MARK = "CNN_COMPARE_RUN"  # an environment variable: the temporary folder of the command that all this belongs to
PATIENCE = 5  # seconds for what was killed to be gone


def keep():
    """Split; return in the half that becomes the cell."""
    if sys.platform != "linux":
        return
    _limit()
    prctl = _prctl()
    prctl(SUBREAPER, 1)
    watcher, cell = os.getpid(), os.fork()
    if cell:
        _watch(cell)
    prctl(DEATH_SIGNAL, signal.SIGKILL)  # code that kills its watcher ends too
    if os.getppid() != watcher:
        os._exit(1)


def _limit():
    """Let nothing in this cell take more than the machine has, nor fill the disk."""
    import resource

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    most = {"RLIMIT_DATA": memory, "RLIMIT_FSIZE": FILE, "RLIMIT_NOFILE": FILES, "RLIMIT_CORE": 0}
    for name, value in most.items():
        _, hard = resource.getrlimit(getattr(resource, name))
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, hard))


def lift():
    """Let this cell open files again, where it held as many as it may: it has something to write."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def undisturbed():
    """Let the signals that end a command wait until the block ends."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prctl():
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl


def _watch(cell):
    """Wait for the end of the cell, or of whoever started it; clear up, and end as the cell did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status, orphaned = None, False
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(cell)
    while status is None and not orphaned:
        try:
            ready, _, _ = select.select([0, pidfd], [], [])
        except (OSError, NameError):  # an old kernel
            ready, _, _ = select.select([0], [], [], 0.02)
        orphaned = 0 in ready
        pid, found = os.waitpid(cell, os.WNOHANG)
        status = found if pid else None
    _clear()
    if status is None:
        os._exit(1)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 1)


def _clear():
    """Kill all below this process until nothing is left."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for pid in _below(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _below(top):
    """All processes that descend from one."""
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is wanted
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found: set[int] = set()
    more = {top}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def end_marked(folder):
    """Kill all processes that a command started, by the mark that they inherited; on Linux, and of this user."""
    if sys.platform != "linux":
        return
    mark = f"{MARK}={folder}".encode()
    end = time.monotonic() + PATIENCE
    quiet = 0  # looks that found nothing: in the middle of an exec a process shows no environment yet
    while quiet < 2 and time.monotonic() < end:
        if quiet:
            time.sleep(0.01)
        quiet += 1
        for name in os.listdir("/proc"):  # noqa: PTH208
            if not name.isdigit() or int(name) == os.getpid():
                continue
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                if mark in file.read(1 << 20).split(b"\0"):
                    os.kill(int(name), signal.SIGKILL)
                    quiet = 0
