"""The process of one cell: started fresh, a group of its own, killed whole; what it leaves is read with a bound."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from compare import plain, plain_files
from compare.cells import guard

LARGEST = 1 << 26  # bytes of a result that are read
TIMES = 10  # times the size of what a cell was given may come on top: larger images have larger gradients
LOG = 4000  # characters, the last ones, that are kept of what was printed
ROOM = 1 << 20  # bytes below which a folder for temporary files is full
FULL = (errno.ENOSPC, errno.EDQUOT)
ROOT = Path(__file__).resolve().parents[2]
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class Ended:
    """What a cell left when it ended, believed in nothing.

    code: of its process; None: it was killed at its limit. log: the last of what it printed. result, partial: the bytes
    of these files, or in words why there are none. swept: paths that it needed, and that are gone.
    lost: why there is nothing of all that, where the machines that it was placed on went away.
    """

    code: int | None
    log: str
    result: bytes | str
    partial: bytes | str
    swept: list[str]
    lost: str = ""


class Process:
    """One worker and its process group."""

    def __init__(self, spec, folder, module):
        folder.mkdir(parents=True)  # its parent may have been swept away since
        self.spec = spec
        self.result = folder / "result.npz"
        self.most = most_of(spec)
        spec_file = folder / "spec.json"
        self.partial = folder / "partial.npz"
        spec_file.write_text(json.dumps({**spec, "result": str(self.result), "partial": str(self.partial)}))
        self.log = (folder / "log.txt").open("w+b")  # held open: what is there under its name later may be anything
        try:
            self.process = subprocess.Popen(
                # -P and start: neither the folder this is started from nor the project's may shadow a framework
                [sys.executable, "-P", str(ROOT / "compare" / "start.py"), module, str(spec_file)],
                stdin=subprocess.PIPE,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                env={
                    **environment_of(spec["threads"], folder),
                    **spec.get("environment", {}),
                    guard.FILE_LIMIT: str(max(self.most, guard.FILE)),
                },
                start_new_session=True,
            )
        except OSError:
            self.log.close()
            raise
        self.end = time.monotonic() + spec["limit"]

    def poll(self):
        """What it left, an `Ended`, or None while it runs within its limit.

        Raises:
            OSError: there is no room for temporary files.
        """
        code = self.process.poll()
        if code is None and time.monotonic() < self.end:
            return None
        log = _tail(self.log)
        self.kill()
        needed = (self.result.parent, self.spec.get("inputs"))
        swept = [str(path) for path in needed if path and not Path(path).exists()]
        result, partial = content_of(self.result, self.most), content_of(self.partial, self.most)
        if code is not None and isinstance(result, str):
            check_space(self.result.parent)
        return Ended(code, log, result, partial, swept)

    def kill(self):
        """End the cell and all that it started."""
        guard.end(self.process)
        self.log.close()


def most_of(spec):
    """Bytes of its result that are read."""
    given = spec.get("inputs")
    return LARGEST + TIMES * (os.path.getsize(given) if given and Path(given).is_file() else 0)  # noqa: PTH202


def content_of(path, most):
    """The bytes of a file that need not be there, nor be a file, or in words why there are none."""
    try:
        return plain_files.read_regular(path, most)
    except FileNotFoundError:
        return "no result"
    except (OSError, ValueError) as error:
        return unreadable(error, path)


def unreadable(error, path=""):
    """In words, why a result is none."""
    said = plain.line(str(error).removeprefix(f"{path}: "), 300)
    return f"a result that cannot be read ({type(error).__name__}: {said})"


def check_space(folder, error=None):
    """Raise OSError where there is no room for temporary files: then nobody's code is to blame."""
    with contextlib.suppress(FileNotFoundError):  # the folder was swept away, which is told elsewhere
        if (error is not None and error.errno in FULL) or shutil.disk_usage(folder).free < ROOM:
            what = "no room for temporary files, so nothing was judged; make some, or set TMPDIR to another folder"
            raise OSError(errno.ENOSPC, what, str(folder)) from error


def _tail(log):
    """The last of what a cell printed."""
    begin = max(0, os.fstat(log.fileno()).st_size - 4 * LOG)
    return os.pread(log.fileno(), 4 * LOG, begin).decode(errors="replace")[-LOG:]


def environment_of(threads, folder):
    """The variables of a cell's process."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "KERAS_HOME": str(folder),  # else Keras reads and writes a settings file in the home directory
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
