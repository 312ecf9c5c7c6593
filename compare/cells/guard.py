"""What a cell starts ends with it, and a cell ends with whoever started it.

The process of a cell splits in two before anything is loaded: one half becomes the cell, the other stays and watches.
When the cell has ended, or has more processes than it may, or the pipe of whoever started it closes, the watcher ends
all that is left below it. On Linux nothing gets out from below it: what leaves its session or its group, or loses its
parent, becomes the watcher's own child. The watcher is a process of its own; a cell inside one long call of C cannot
hold it up.

Elsewhere there is no watcher: what stays in the process group is killed with it, and the rest is not found.
"""

import contextlib
import errno
import os
import select
import signal
import sys
import time

SUBREAPER, DEATH_SIGNAL = 36, 1  # of prctl(2)
FILE_LIMIT = "CNN_COMPARE_FILE"  # an environment variable: bytes of one file that a cell may write, its log among them
FILE = int(os.environ.get(FILE_LIMIT, 1 << 30))
FILES = 4096  # open at once
PROCESS_LIMIT = "CNN_COMPARE_PROCESSES"  # an environment variable: processes that a cell may have at once
PROCESSES = int(os.environ.get(PROCESS_LIMIT, 500))  # a pool has one for each processor
LOOK = 0.05  # seconds between two looks at how many there are
CROWDED = 213  # the exit code that says there were more
MARK = "CNN_COMPARE_RUN"  # an environment variable: the temporary folder of the command that all this belongs to
MET = " (at the limit of "  # behind the message of an exception
PATIENCE = 5  # seconds for what was killed to be gone
LONGEST = 60  # seconds for a watcher to end: among a thousand processes it gets little time


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
    os.setpgid(0, 0)  # code that kills its own group does not kill its watcher
    prctl(DEATH_SIGNAL, signal.SIGKILL)  # code that kills its watcher ends too
    if os.getppid() != watcher:
        os._exit(1)


def _limit():
    """Let nothing in this cell take more than the machine has, nor fill the disk."""
    import resource

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    most = {"RLIMIT_DATA": memory, "RLIMIT_FSIZE": FILE, "RLIMIT_NOFILE": FILES, "RLIMIT_CORE": 0}
    if tasks := _tasks():  # of all that a user runs, and not of root: to hold up a flood until it is counted
        most["RLIMIT_NPROC"] = tasks + 2 * PROCESSES
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
    with contextlib.suppress(OSError):  # first in line, where that is allowed: a thousand processes leave it no time
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    status, orphaned, crowded = None, False, False
    least, counted = _tasks(), time.monotonic()
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(cell)
    while status is None and not orphaned and not crowded:
        try:
            ready, _, _ = select.select([0, pidfd], [], [], LOOK)
        except (OSError, NameError):  # an old kernel
            ready, _, _ = select.select([0], [], [], 0.02)
        orphaned = 0 in ready
        pid, found = os.waitpid(cell, os.WNOHANG)
        status = found if pid else None
        tasks = _tasks()
        least = min(least, tasks)
        if status is None and tasks - least > PROCESSES:
            least, crowded = tasks, _crowded(cell)
        elif status is None and time.monotonic() > counted + 1:  # others may have ended while these began
            counted, crowded = time.monotonic(), len(_below(os.getpid())) > PROCESSES
    _clear(cell)
    if crowded:
        os._exit(CROWDED)
    if status is None:
        os._exit(1)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 and code != CROWDED else 1)


def _tasks():
    """How many processes and threads there are on this machine, in one look however many; 0 where it is not told."""
    try:
        with open("/proc/loadavg", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, ValueError, IndexError):  # a container may hide it
        return 0


def _crowded(cell):
    """Whether a cell has more processes than it may."""
    with contextlib.suppress(OSError):  # it has ended
        os.killpg(cell, signal.SIGSTOP)  # a thousand at work leave no time to count them
    crowded = len(_below(os.getpid())) > PROCESSES
    with contextlib.suppress(OSError):
        os.killpg(cell, signal.SIGKILL if crowded else signal.SIGCONT)
    return crowded


def _clear(cell):
    """Kill all below this process until nothing is left, or what is left does not die."""
    # a group is killed whole, in one step: one after the other they would multiply faster than they die
    targets, end = {-cell}, time.monotonic() + PATIENCE
    before: set[int] = set()
    while time.monotonic() < end:
        for target in targets:
            with contextlib.suppress(OSError):  # it has ended
                os.kill(target, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)
        found, own = _below(os.getpid()), os.getpgid(0)
        targets = {-group if group != own else pid for pid, group in found.items()}
        if found.keys() - before:
            before, end = set(found), time.monotonic() + PATIENCE


def _below(top):
    """{process: its group} of all that descend from one."""
    parents, groups = {}, {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is wanted
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                _, parent, group = file.read().rpartition(b")")[2].split()[:3]
                parents[int(name)], groups[int(name)] = int(parent), int(group)
    found: set[int] = set()
    more = {top}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return {pid: groups[pid] for pid in found}


def end(process):
    """End a `Popen` that splits itself, and all that it started; its standard input is the pipe that is watched."""
    import subprocess  # here alone: a cell waits for what is imported above

    with contextlib.suppress(OSError):
        process.stdin.close()
    if sys.platform == "linux":
        process.send_signal(signal.SIGCONT)  # the code may have stopped its watcher
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LONGEST)
    with contextlib.suppress(ProcessLookupError):  # all of it has ended already
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ending(code):
    """How such a process ended, in words."""
    if code == CROWDED:
        return f"more than {PROCESSES} processes"
    if code >= 0:
        return f"exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    by = f"signal {names.get(-code, -code)}"  # a real-time signal has only a number
    return f"{by}, as from a system that has no memory left," if code == -signal.SIGKILL else by


def met(error):
    """The limit that an exception tells of, in words that go behind its message, or ""."""
    limits = {
        errno.EMFILE: f"{FILES} open files",
        errno.EFBIG: f"{FILE / (1 << 30):.3g} GB of one file",
        errno.ENOMEM: "memory",
    }
    limit = "memory" if isinstance(error, MemoryError) else limits.get(getattr(error, "errno", 0))
    return f"{MET}{limit})" if limit else ""


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
