"""What is judged in: float32 and float64 everywhere, float16 and bfloat16 in `parity`.

NumPy has no bfloat16. Its numbers lie in float32 arrays, which hold each of them exactly: in files, at the border of an
implementation, in the judge's hands.
"""

import numpy as np

from compare.contract import unknown

DTYPES = ("float32", "float64")
HALF = ("float16", "bfloat16")
# 8 of the 24 binary digits of float32, and its range (Intel, "BFLOAT16 - hardware numerics definition", 2018)
UNITS = {"bfloat16": 2.0**-8}


def select(names):
    """A tuple of names of dtypes from a list or a comma-separated string. Raises ValueError for an unknown one."""
    wanted = tuple(dict.fromkeys(name.strip() for name in (names.split(",") if isinstance(names, str) else names)))
    for name in wanted:
        if name not in DTYPES + HALF:
            raise ValueError(unknown("dtype", name, DTYPES + HALF))
    return wanted


def held(dtype):
    """The np.dtype of the arrays that hold numbers of a dtype, given by its name."""
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


def rounded(x, dtype):
    """x, an array of floats, to the nearest numbers of a dtype, ties to the even one; an array of `held(dtype)`."""
    x = np.asarray(x).astype(held(dtype))
    if dtype != "bfloat16":
        return x
    bits = x.view(np.uint32)  # of which it keeps the upper half
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return np.where(np.isfinite(x), nearest.view(np.float32), x)


def limits(dtype):
    """(unit roundoff, what a result below the smallest normal number may lose instead).

    A product, a quotient or an exp may lose half a step between such numbers (Higham, "Accuracy and stability of
    numerical algorithms", 2.8), or all, where they are taken for 0, as TensorFlow and XLA do in float32. In float16,
    whose smallest normal number, 6e-5, would hide much, no processor does so: Intel's manual has VCVTPS2PH, and
    AVX512-FP16 as a whole, ignore the switch for it.
    """
    info = np.finfo(held(dtype))
    unit = UNITS.get(dtype, float(info.eps) / 2)
    return unit, float(info.tiny) * (unit if dtype == "float16" else 1)


def misfit(value, dtype):
    """Why an array does not hold numbers of a dtype, in words; "" where it does. A single number may be of any."""
    if value.ndim == 0:
        return ""
    if value.dtype != held(dtype):
        return f"found dtype {value.dtype}, wanted {held(dtype)}"
    finer = value[(rounded(value, dtype) != value) & ~np.isnan(value)]
    return f"found {finer[0]:.9g} and {finer.size - 1} more that are no numbers of {dtype}" if finer.size else ""
