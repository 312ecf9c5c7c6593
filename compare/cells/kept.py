"""Finished cells kept on disk, so that what was interrupted goes on where it stopped.

A cell is known again by its spec, by the bytes of the files that the spec names, by the versions of all packages, the
processor, and this project's own code; of equal cells, such as rounds of timing, by how many went before.
"""

import contextlib
import contextvars
import hashlib
import importlib.metadata
import json
import sys
from collections import Counter
from pathlib import Path

from compare import environment

_current: contextvars.ContextVar = contextvars.ContextVar("kept", default=None)


class Kept:
    """A folder of results, and how often each spec was asked for in this run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.asked: Counter = Counter()
        packages = sorted({(each.name, each.version) for each in importlib.metadata.distributions()})
        self.about = [packages, sys.version, environment.processor(), environment.project()]

    def place(self, spec):
        """The file in which the result of this spec, asked for once more, is or will be."""
        files = {name: _sha256(value) for name, value in spec.items() if is_file(value)}
        key = json.dumps([{**spec, **files}, self.about], sort_keys=True)
        self.asked[key] += 1
        return self.folder / f"{hashlib.sha256(f'{self.asked[key]} {key}'.encode()).hexdigest()}.npz"


@contextlib.contextmanager
def keeping(folder):
    """Let `cells.run` keep its results in a folder, and take those that are there already, until the block ends."""
    token = _current.set(Kept(folder))
    try:
        yield
    finally:
        _current.reset(token)
        with contextlib.suppress(OSError):  # it holds something
            Path(folder).rmdir()


def current():
    """The `Kept` of the block that this is in, or None."""
    return _current.get()


def is_file(value):
    """Whether a value of a spec names a file of this machine."""
    return isinstance(value, str) and Path(value).is_absolute() and Path(value).is_file()


def _sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
