"""What the adapter accepts, in NumPy alone. Each error names the thing, the value found and the value wanted.

The same file stands in `torch_cnn` and in `keras_cnn`, so that each folder works alone; a test holds them equal.
"""

import operator

import numpy as np

DTYPES = ("bfloat16", "float16", "float32", "float64")
STAGES = ("conv", "pool", "logits", "probabilities", "loss")


def check_choice(name, value, choices):
    """Raise ValueError unless the value is one of the choices, which are words."""
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name}: found {value!r}, wanted one of {', '.join(choices)}")


def check_positive(name, number):
    """Raise ValueError unless the number is whole and 1 or more."""
    try:
        good = operator.index(number) >= 1
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"{name}: found {number!r}, wanted a whole number, 1 or more")


def check_rate(learning_rate):
    """The learning rate as a float, finite and above 0. Raises ValueError."""
    rate = float(learning_rate)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"learning_rate: found {learning_rate!r}, wanted a finite number above 0")
    return rate


def float_dtype(dtype):
    """(name, np.dtype of the arrays that hold its numbers): of "bfloat16", which NumPy lacks, float32; else itself.

    Raises:
        ValueError: it is none of `DTYPES`.
    """
    try:
        name = dtype if dtype == "bfloat16" else np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in DTYPES:
        raise ValueError(f"dtype: found {name}, wanted {', '.join(DTYPES[:-1])} or {DTYPES[-1]}")
    return name, np.dtype("float32" if name == "bfloat16" else name)


def stage_inputs(input_shape, filters, classes, padding):
    """Shape of what one example brings to each of `STAGES`: (H, W, C), (H', W', F), (P, Q, F), (K,), (K,).

    Raises:
        ValueError: a number below 1, another padding, or H or W too small to leave anything after the pool.
    """
    check_positive("filters", filters)
    check_positive("classes", classes)
    check_choice("padding", padding, ("valid", "same"))
    try:
        h, w, c = (operator.index(size) for size in input_shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"input_shape: found {input_shape!r}, wanted (H, W, C)") from error
    border = 0 if padding == "same" else 2
    least = 3 if padding == "same" else 4
    if min(h, w) < least or c < 1:
        raise ValueError(f"input_shape: found {(h, w, c)}, wanted H, W >= {least} (padding {padding!r}) and C >= 1")
    h, w = h - border, w - border
    shapes = (tuple(input_shape), (h, w, filters), (h // 2, w // 2, filters), (classes,), (classes,))
    return dict(zip(STAGES, shapes, strict=True))


def check_labels(labels, count, classes):
    """(count,) whole numbers 0 .. classes-1 -> int64 array, a copy. Raises ValueError for anything else."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: found {labels.dtype} {labels.shape}, wanted whole numbers ({count},)")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: found {labels.min()} .. {labels.max()}, wanted 0 .. {classes - 1}")
    return labels.astype(np.int64)


def check_floats(name, array, shape):
    """Raise ValueError unless the array is of floats and of the shape, where a leading "N" is any number above 0."""
    array = np.asarray(array)
    fits = array.ndim == len(shape) and all(
        found == wanted or (wanted == "N" and found > 0) for found, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype.kind != "f":
        wanted = "a scalar" if shape == () else f"shape ({', '.join(map(str, shape))})"
        least = ", N >= 1" if "N" in shape else ""
        raise ValueError(f"{name}: found {array.dtype} of shape {array.shape}, wanted floats, {wanted}{least}")


def check_parameters(parameters, shapes):
    """Raise ValueError unless there are just the names of `shapes`, each a finite float array of its shape."""
    if set(parameters) != set(shapes):
        raise ValueError(f"parameters: found {sorted(parameters)}, wanted {sorted(shapes)}")
    for name, wanted in shapes.items():
        value = np.asarray(parameters[name])
        if value.shape != wanted:
            raise ValueError(f"{name}: found shape {value.shape}, wanted {wanted}")
        if value.dtype not in (np.float16, np.float32, np.float64):
            raise ValueError(f"{name}: found dtype {value.dtype}, wanted float16, float32 or float64")
        if not np.isfinite(value).all():
            raise ValueError(f"{name}: found NaN or infinity, wanted finite numbers")
