"""What a process may still do that runs code which nobody trusts: read what Python needs, and compute.

On Linux, as far as the kernel and the rights of the user go: no network (a namespace of its own, and Landlock), no file
written, only named folders read and no process outside signalled or traced (Landlock), another user (where it is root),
less memory. Landlock: https://docs.kernel.org/userspace-api/landlock.html; its numbers are those of linux/landlock.h.
What holds is returned, not assumed. It is isolation, not a sandbox: the kernel is shared.

Run by its path, it confines itself, runs a file and prints what holds.
"""

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys

CONFINE = "CNN_COMPARE_CONFINE"  # an environment variable: how, as JSON, see `confine`
NEW_USER, NEW_OWN = 0x10000000, 0x48000000  # of unshare(2): users; network and shared memory
SPACE = 4 << 30  # bytes of addresses beside the memory: libraries lie there, and reserve more than they use
DEATH_SIGNAL, DROP, NO_NEW_PRIVILEGES = 1, 24, 38  # of prctl(2)
CAPABILITIES = 0x20080522  # the version of capset(2) that takes 64 of them
CREATE, ADD, RESTRICT = 444, 445, 446  # Landlock's three calls, of the same number on every processor
EXECUTE, WRITE, READ, LIST = 1, 2, 4, 8
KNOWN = 13, 14, 15, 15, 16  # how many ways to use a file version 1, 2, ... knows, one bit each
TCP_SINCE, SCOPES_SINCE = 4, 6
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc", "/proc", "/sys", "/opt", "/nix", "/snap")
ALL = ("files", "signals", "network", "tcp", "user", "memory")


def confine(write=(), user=True, also=()):
    """Give up what is not needed; nothing where the environment does not ask for it. Before any thread begins.

    The variable CONFINE holds {"read": folders and files, "hide": what of these is not read after all, "user":
    [uid, gid] or null, "memory": bytes or null}.

    Args:
        write: folders that may be written to all the same.
        user: whether to become that user.
        also: folders that may be read beside, hidden or not.
    Returns:
        {name of ALL: whether it holds}, or {} where nothing was asked for.
    """
    asked = os.environ.pop(CONFINE, "")
    if not asked or sys.platform != "linux":
        return {}
    import resource

    given = json.loads(asked)
    libc = ctypes.CDLL(None, use_errno=True)
    held = dict.fromkeys(ALL, False)
    held["network"] = libc.unshare(NEW_OWN) == 0 or libc.unshare(NEW_USER | NEW_OWN) == 0
    if user and given["user"]:
        held["user"] = _become(*given["user"])
        libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)  # which ends with the change of users
    for number in range(64):
        libc.prctl(DROP, number, 0, 0, 0)
    libc.capset(struct.pack("Ii", CAPABILITIES, 0), bytes(24))
    if given["memory"]:
        for limit, most in ((resource.RLIMIT_DATA, given["memory"]), (resource.RLIMIT_AS, given["memory"] + SPACE)):
            _, hard = resource.getrlimit(limit)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))
        held["memory"] = True
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    hidden = [path for path in given["hide"] if not any(_inside(path, place) for place in also)]
    version = _landlock(libc, [*given["read"], *also], hidden, write)
    held["files"], held["signals"] = version > 0, version >= SCOPES_SINCE
    held["tcp"] = version >= TCP_SINCE
    return held


def _become(uid, gid):
    try:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError:  # not root
        return False
    return True


def _landlock(libc, readable, hidden, writable):
    """The version that now restricts this process; 0 where the kernel has none."""
    version = max(0, libc.syscall(CREATE, None, 0, 1))
    if version == 0:
        return 0
    every = (1 << KNOWN[min(version, len(KNOWN)) - 1]) - 1
    given = struct.pack("QQQ", every, 3 if version >= TCP_SINCE else 0, 3 if version >= SCOPES_SINCE else 0)
    ruleset = libc.syscall(CREATE, given, 24 if version >= SCOPES_SINCE else 16 if version >= TCP_SINCE else 8, 0)
    if ruleset < 0:
        return 0

    def allow(path, access):
        with contextlib.suppress(OSError):  # it is not there, or not to be read anyway
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            libc.syscall(ADD, ruleset, 1, struct.pack("=Qi", access & every, place), 0)
            os.close(place)

    for path in readable:
        _allow(allow, os.path.realpath(path), [os.path.realpath(each) for each in hidden])
    for path in DEVICES:
        allow(path, READ | WRITE)
    for path in writable:
        allow(path, every)
    done = libc.syscall(RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return version if done else 0


def _allow(allow, path, hidden):
    """Let all in a folder but what is hidden be read: a rule holds for all below, so it is given in parts."""
    if path in hidden:
        return
    if not os.path.isdir(path):  # noqa: PTH112 - imports as little as it can
        allow(path, READ | EXECUTE)
    elif not any(_inside(each, path) for each in hidden):
        allow(path, READ | EXECUTE | LIST)
    else:
        allow(path, LIST)
        with contextlib.suppress(OSError):
            for entry in os.scandir(path):
                if not entry.is_symlink():  # what a link leads to has a rule, or none
                    _allow(allow, entry.path, hidden)


def _inside(path, place):
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


if __name__ == "__main__":
    holds = confine()
    import runpy

    runpy.run_path(sys.argv[1])
    print(json.dumps(holds))
