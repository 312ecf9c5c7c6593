"""The arrays that the code keeps and gives: where they are, and what their names say."""

import re

import numpy as np

from compare.checking.calling.words import INPUT_WORDS, plain


def real(x):
    """An array as real numbers: the real part of complex ones, objects as floats (NaN where they are none)."""
    x = np.asarray(x)
    if x.dtype.kind != "O":
        return x.real
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError):
        return np.full(x.shape, np.nan)


def joined(value, count):
    """A list of `count` arrays of one shape, or of rows of numbers, as one array; anything else as it is."""
    if not isinstance(value, list):
        return value
    if len(value) == count and len({getattr(each, "shape", id(each)) for each in value}) == 1:
        return np.stack(value)
    rows = value if all(isinstance(row, list) for row in value) else []
    numbers = all(isinstance(each, int | float | np.generic) for row in rows for each in row)
    return np.array(rows) if numbers and len({len(row) for row in rows}) == 1 else value


def same(one, other):
    """Whether two arrays hold the same, NaN included, of whatever dtype."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc")


def arrays_of(code, kinds="f"):
    """{path: array} of what an object of the code keeps; the same array at two paths is the same object here.

    `kinds`: of NumPy's dtypes, floating-point alone.
    """
    same: dict = {}
    return {path: same.setdefault(which, array) for path, (array, which) in code.arrays(kinds).items()}


def named(path):
    """A path as a reader would write it: "params[W]", "conv.filters"."""
    parts = [s if isinstance(s, str) and s[:1] == "." else f"[{s}]" for s in path]
    return "".join(parts).lstrip(".")


def is_gradient(path):
    """Whether the names on a path say that a gradient is kept there: d_filters, dW, grads[W]."""
    for step in path:
        name = str(step).lstrip("._").lower()
        says = any(word in name for word in ("grad", "delta", "nabla", "_wrt_")) and not is_memory((name,))
        if says or name in ("err", "error"):
            return True
        if name.startswith("d") and not name.startswith(("dense", "data", "decoder", "depth", "dim", "down")):
            return True
    return False


def is_memory(path):
    """Whether the names on a path say that it is neither a weight nor its gradient: last_input, cache, m_filters."""
    words = ("veloc", "moment", "cache", "last", "prev", "input", "output", "image", "avg", "average", "running")
    names = [plain(str(step).lstrip("._")) for step in path]
    if re.search(r"^[mv]_\w|\w_[mv]$", str(path[-1]).lstrip("._")):  # of momentum or Adam
        return True
    return any(name in INPUT_WORDS or any(word in name for word in words) for name in names)
