"""What an exception of somebody's code says, in one line; and why, where it is what old code is known to fail with."""

import re
from pathlib import Path

import numpy as np

from compare.checking.calling.part import ReturnedNothingError
from compare.checking.process import beside, caller
from compare.checking.process.stranger import PROJECT
from compare.checking.process.things import CrashedError, HungError, RaisedError
from compare.contract import NotOfferedError

LIBRARIES = re.compile(r"[/\\](site|dist)-packages[/\\](torch\w*|tensorflow|keras|onnx|onnxruntime|absl)[/\\]")
CAUSES = (
    (r"Missing parentheses in call to 'print'", "Python 2: print needs parentheses"),
    (
        r"only (0-dimensional|length-1|size-1) arrays can be converted to Python scalars|0-dimensional arrays can be",
        "an array with one element stands where a number is wanted; NumPy 2.x no longer converts it; "
        "use .item() or index it",
    ),
    (
        r"module 'numpy' has no attribute '(float|int|bool|object|str|complex|long|unicode)'",
        "NumPy removed this alias in 1.24; use Python's own type of the same name, or np.float64, np.int64, np.bool_",
    ),
    (r"name '(xrange|raw_input|unicode|unichr|long|basestring|reduce)' is not defined", "Python 2: {0} is gone"),
    (r"No module named '(cPickle|urllib2|Queue|StringIO|ConfigParser|Tkinter)'", "Python 2: the module {0} is gone"),
)


def explain(error):
    """One line: "TypeError at my_cnn.py:41: message", and why, for what old code is known to fail with.

    The place is the last one in the user's code: not in NumPy, Python's library or this project.
    """
    if isinstance(error, CrashedError | HungError | ReturnedNothingError | NotOfferedError):
        return str(error)
    raised = error.raised if isinstance(error, RaisedError) else caller.described(error)
    frames = [(file, line) for file, line in raised["frames"] if is_users(file)]
    where = f" at {Path(frames[-1][0]).name}:{frames[-1][1]}" if frames else ""
    message = " ".join(raised["texts"][0].split())
    return f"{raised['type']}{where}: {message}{because(raised['texts'])}"


def because(texts):
    """(because: ...) of what an exception and those behind it say, where that is known; else nothing."""
    for pattern, cause in CAUSES:
        match = next((match for text in texts if (match := re.search(pattern, text))), None)
        if match:
            return f" (because: {cause.format(*match.groups())})"
    return ""


def is_users(filename):
    """Whether a file is neither this project's, nor NumPy's, nor a framework's, nor Python's own."""
    if filename.startswith("<") or LIBRARIES.search(filename):
        return False
    path = Path(filename)
    ours = (PROJECT / "compare", Path(np.__file__).parent)
    return not beside.of_python(path) and not any(path.is_relative_to(folder) for folder in ours)
