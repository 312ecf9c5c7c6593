"""Where imports come from: no file beside the code under test, or in the project's folder, stands for Python's or ours.

`python -m compare` puts the current folder first on the path, and a worker has the project there. So that neither a
random.py nor a numpy.py in it is taken for the real one, both are taken off it, and the project is found by name.
Run as `python -P compare/start.py MODULE ARGUMENTS`: a worker, begun like that.
"""

import contextlib
import os
import signal
import sys
from importlib.machinery import PathFinder

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - imports as little as it can
OURS = ("compare", "numpy_cnn", "torch_cnn", "keras_cnn")
_AT_FIRST = list(sys.path)
INSTALLED = ("site-packages", "dist-packages")


class _Ours:
    """Finds this project's packages, wherever the path leads."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """The spec of one of OURS, or None."""
        return PathFinder.find_spec(name, [ROOT]) if name in OURS else None


def by_name():
    """Find the project by name from now on, and take its folder off the path unless it lies there among all others."""
    sys.meta_path.insert(0, _Ours)
    if not ROOT.endswith(INSTALLED):
        sys.path[:] = [place for place in sys.path if place != ROOT]


def quietly():
    """Let Ctrl-C and a polite kill end the process at once, and without a traceback, while it still imports."""
    for name, code in (("SIGINT", 130), ("SIGTERM", 143)):
        signal.signal(getattr(signal, name), lambda *_, code=code: os._exit(code))


def command():
    """The command line, as it is installed: `cnn-compare`."""
    quietly()
    from compare.cli import main

    main()


@contextlib.contextmanager
def away_from_here():
    """The same for a while, in a process that is somebody else's: the path as it was, without the current folder."""
    path = sys.path[:]
    sys.path[:] = [place for place in _AT_FIRST if place not in ("", os.getcwd())]  # noqa: PTH109
    sys.meta_path.insert(0, _Ours)
    try:
        yield
    finally:
        sys.meta_path.remove(_Ours)
        sys.path[:] = path


if __name__ == "__main__":
    by_name()
    from compare.cells import confine, guard

    guard.keep()
    confine.confine([os.path.dirname(each) for each in sys.argv[2:]], user=False, also=[ROOT])  # noqa: PTH120
    import runpy

    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
