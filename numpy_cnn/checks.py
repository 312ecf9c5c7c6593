"""What the network accepts. Each error names the thing, the value found and the value wanted."""

import operator

import numpy as np

PARAMETERS = ("conv_weight", "dense_weight", "dense_bias")
DTYPES = ("float16", "float32", "float64")  # what it computes in
LACKS = {"bfloat16": "NumPy has no bfloat16"}  # and why not in others
CHUNK = 256  # images that are converted at a time wherever memory must not grow with their number


def float_dtype(dtype):
    """np.dtype of float16, float32 or float64. Raises ValueError for any other."""
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype: found {dtype!r}, wanted float16, float32 or float64") from error
    if found not in (np.float16, np.float32, np.float64):
        raise ValueError(f"dtype: found {found}, wanted float16, float32 or float64")
    return found


def check_padding(padding):
    """The padding itself, "valid" or "same". Raises ValueError for any other."""
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: found {padding!r}, wanted 'valid' or 'same'")
    return padding


def check_positive(name, number):
    """The number as an int of 1 or more. Raises ValueError."""
    try:
        value = operator.index(number)
    except TypeError as error:
        raise ValueError(f"{name}: found {number!r}, wanted a whole number") from error
    if value < 1:
        raise ValueError(f"{name}: found {value}, wanted 1 or more")
    return value


def check_rate(learning_rate, dtype):
    """The learning rate as a float, above 0 and finite in `dtype` too. Raises ValueError."""
    try:
        rate = float(learning_rate)
    except (TypeError, ValueError):
        rate = np.nan
    limits = np.finfo(dtype)
    if not float(limits.smallest_subnormal) <= rate <= float(limits.max):
        raise ValueError(f"learning_rate: found {learning_rate!r}, wanted a finite number above 0 in {np.dtype(dtype)}")
    return rate


def generator(seed):
    """A NumPy random generator; passes one through, so that several draws can share it."""
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def pooled_size(input_shape, padding):
    """(P, Q), rows and columns after convolution and pool of an (H, W, C) image.

    Raises:
        ValueError: the shape is not three whole numbers, C below 1, or H or W too small to leave anything.
    """
    try:
        h, w, c = (operator.index(size) for size in input_shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"input_shape: found {input_shape!r}, wanted (H, W, C)") from error
    least = 3 if check_padding(padding) == "same" else 4
    if min(h, w) < least or c < 1:
        raise ValueError(
            f"input_shape: found {(h, w, c)}, wanted H, W >= {least} (padding {padding!r}, pool 2x2) and C >= 1"
        )
    border = 0 if padding == "same" else 2
    return (h - border) // 2, (w - border) // 2


def parameter_shapes(input_shape, filters, classes, padding):
    """Shape of each parameter, by name, of the network for (H, W, C) images."""
    p, q = pooled_size(input_shape, padding)
    return {
        "conv_weight": (3, 3, input_shape[2], filters),
        "dense_weight": (p * q * filters, classes),
        "dense_bias": (classes,),
    }


def check_parameters(parameters, shapes, dtype=None):
    """Raise ValueError unless `parameters` holds just the names of `shapes`, each a float array of its shape.

    They must be finite, also when cast to `dtype`; None looks at them as they are.
    """
    if set(parameters) != set(shapes):
        raise ValueError(f"parameters: found {sorted(parameters)}, wanted {sorted(shapes)}")
    for name, shape in shapes.items():
        value = np.asarray(parameters[name])
        if value.shape != tuple(shape):
            raise ValueError(f"{name}: found shape {value.shape}, wanted {tuple(shape)}")
        if value.dtype.name not in DTYPES:
            raise ValueError(f"{name}: found dtype {value.dtype}, wanted {' or '.join(DTYPES)}")
        held = value.dtype if dtype is None else dtype
        if not finite(value, held).all():
            raise ValueError(f"{name}: found NaN or infinity, wanted finite numbers in {np.dtype(held)}")


def check_images(images, input_shape):
    """The images as an array (N, H, W, C), their values not yet looked at.

    Args:
        images: uint8 pixels 0..255, or floats that are already scaled; (N, H, W, C), or (N, H, W) where C is 1.
    Raises:
        ValueError: another shape, none at all, or a dtype that is neither uint8 nor floating.
    """
    images = np.asarray(images)
    if images.ndim == 3 and input_shape[2] == 1:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1:] != tuple(input_shape):
        raise ValueError(f"images: found shape {images.shape}, wanted (N, {', '.join(map(str, input_shape))})")
    if len(images) == 0:
        raise ValueError("images: found none, wanted at least one")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(f"images: found dtype {images.dtype}, wanted uint8 pixels 0..255 or scaled floats")
    return images


def finite(values, dtype):
    """Where the values are finite in `dtype`: 1e300 is in float64 and is not in float32."""
    with np.errstate(over="ignore"):
        return np.isfinite(values.astype(dtype, copy=False))


def check_finite(images, dtype):
    """Raise ValueError at the first image with NaN, or infinity in `dtype`; looks at CHUNK images at a time."""
    if images.dtype == np.uint8:
        return
    for start in range(0, len(images), CHUNK):
        good = finite(images[start : start + CHUNK], dtype)
        if not good.all():  # of all at once: image by image takes twice as long
            at = start + int(good.all(axis=(1, 2, 3)).argmin())
            raise ValueError(f"images: found NaN or infinity in image {at}, wanted finite numbers in {np.dtype(dtype)}")


def scale(images, dtype):
    """What the network takes in: pixels become image / 255 - 0.5 in `dtype`; floats are only cast."""
    if images.dtype == np.uint8:
        return images.astype(dtype) / dtype.type(255) - dtype.type(0.5)
    return images.astype(dtype, copy=False)


def check_labels(labels, count, classes):
    """The labels as (N,) int64.

    Raises:
        ValueError: another number than `count`, more than one axis, not whole, or outside 0 .. classes-1.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,):
        hint = "; of one-hot rows take .argmax(axis=1)" if labels.ndim == 2 else ""
        raise ValueError(f"labels: found shape {labels.shape}, wanted ({count},){hint}")
    if labels.dtype.kind not in "iuf":
        raise ValueError(f"labels: found dtype {labels.dtype}, wanted whole numbers 0..{classes - 1}")
    bad = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
    if bad.any():
        at = int(bad.argmax())
        raise ValueError(f"labels: found {labels[at]} at index {at}, wanted whole numbers 0..{classes - 1}")
    return labels.astype(np.int64)
