"""What a wrong array looks like: ratio, sign, pattern of the wrong places. Facts only; the diagnosis is elsewhere."""

import numpy as np

AXES = {
    "conv_weight": ("kernel row", "kernel column", "channel", "filter"),
    "dense_weight": ("input", "class"),
    "dense_bias": ("class",),
    "logits": ("image", "class"),
    "probabilities": ("image", "class"),
    "loss": (),
}
IMAGE_AXES = ("image", "row", "column", "filter")


def axes_of(quantity):
    """Names of a quantity's axes."""
    name = quantity.removeprefix("d_").removeprefix("step_").removeprefix("kept_").removeprefix("path_")
    if name == "images":
        return (*IMAGE_AXES[:3], "channel")
    return AXES.get(name, AXES["logits"] if name == "predict" else IMAGE_AXES)


def picture(quantity, found, wanted, allowance, upstream=None):
    """One line about an array that differs.

    Args:
        quantity: its name.
        found, wanted, allowance: arrays of one shape; `found` may have another.
        upstream: for d_conv, the gradient (N, P, Q, F) that went into the pool's backward pass.
    """
    found = np.asarray(found, np.float64)
    if found.shape != wanted.shape:
        return f"found shape {found.shape}, wanted {wanted.shape}"
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(found - wanted) <= allowance)
    if not wrong.any():
        return "the right numbers"
    if np.isnan(found).any():
        return f"NaN at {int(np.isnan(found).sum())} of {found.size} places{_where(quantity, np.isnan(found))}"
    if quantity == "d_conv" and upstream is not None:
        return _window(found, wrong, upstream)
    if not found.any() and found.size > 1:
        return "all of it is 0"
    overall = _overall(quantity, found, wanted, allowance)
    index = tuple(map(int, np.argwhere(wrong)[0])) if wrong.ndim else ()
    at = f"first at {named(quantity, index)}: " if index else ""
    value = f"{at}found {found[index]:.6g}, wanted {wanted[index]:.6g}"
    return f"{overall or value + _where(quantity, wrong)}"


def named(quantity, index):
    """An index with the names of its axes: "image 0, row 3, ..."."""
    return ", ".join(f"{axis} {number}" for axis, number in zip(axes_of(quantity), index, strict=False))


def _window(found, wrong, upstream):
    """The first wrong window of a pool's backward pass, and how much of its gradient it handed on."""
    n, p, q, f = upstream.shape
    rows, columns = min(2 * p, found.shape[1]), min(2 * q, found.shape[2])
    of_windows = np.zeros((n, p, q, f), bool)
    sums = np.zeros((n, p, q, f))
    for i in (0, 1):
        for j in (0, 1):
            of_windows |= wrong[:, i:rows:2, j:columns:2]
            sums += found[:, i:rows:2, j:columns:2]
    if not of_windows.any():
        return "wrong in the odd last row or column, which is in no window"
    index = tuple(map(int, np.argwhere(of_windows)[0]))
    ratio = sums[index] / upstream[index] if upstream[index] else np.inf
    image, row, column, number = index
    share = int(of_windows.sum())
    what = (
        "the gradient that went in, at another corner"
        if np.isclose(ratio, 1)
        else (f"{_factor(ratio)} x the gradient that went in")
    )
    return (
        f"first at window ({row}, {column}, {number}) of image {image}: {what} ({share} of {of_windows.size} windows)"
    )


def _factor(ratio):
    nearest = round(ratio)
    if abs(ratio - 1) < 1e-3:  # it is another number, or nothing would differ
        return f"{ratio:.8g}"
    return str(nearest) if np.isclose(ratio, nearest, rtol=1e-4, atol=1e-6) else f"{ratio:.4g}"


def _overall(quantity, found, wanted, allowance):
    """What holds for the array as a whole, or None: one factor, or the right numbers at other places."""
    large = np.abs(wanted) > 100 * allowance
    if large.any() and found.size > 1:
        ratios = found[large] / wanted[large]
        middle = float(np.median(ratios))
        slack = 2 * allowance * max(1.0, abs(middle)) + 1e-6 * np.abs(wanted)
        if middle and (np.abs(found - middle * wanted) <= slack).all():
            norm = float(np.linalg.norm(found))
            clipped = middle < 1 and norm > 0 and abs(norm - round(norm, 1)) < 1e-6 * norm
            norm_said = f"; its norm is {norm:g}, as of gradients that are clipped to that" if clipped else ""
            return f"{_factor(middle)} times what it should be, everywhere{norm_said}"
    slack = float(allowance.max()) * 2
    most = float(np.abs(found).max(initial=0))
    if (np.abs(wanted) > most + slack).any() and (np.abs(found - np.clip(wanted, -most, most)) <= slack).all():
        return f"the right numbers, cut off at {most:.6g} and {-most:.6g}"
    if found.ndim == 4 and found.shape[:2] == (3, 3):
        turns = {
            "turned by 180 degrees": wanted[::-1, ::-1],
            "rows and columns of the kernel exchanged": wanted.swapaxes(0, 1),
        }
        for text, turned in turns.items():
            if (np.abs(found - turned) <= slack).all():
                return f"the right numbers, {text}"
    if found.size > 4 and (np.abs(np.sort(found, axis=None) - np.sort(wanted, axis=None)) <= slack).all():
        return "the right numbers at other places"
    return None


def _where(quantity, wrong):
    """Where the wrong places are, if they keep to one part of an axis; else how many there are."""
    parts = []
    for axis, name in enumerate(axes_of(quantity)[: wrong.ndim]):
        size = wrong.shape[axis]
        others = tuple(a for a in range(wrong.ndim) if a != axis)
        at = np.flatnonzero(wrong.any(axis=others))
        if size > 1 and len(at) == 1:
            parts.append(f"{name} {int(at[0])}" + (" (the last)" if at[0] == size - 1 else ""))
        elif size > 2 and len(at) == size - 1:
            missing = sorted(set(range(size)) - set(at.tolist()))[0]
            parts.append(f"every {name} but {missing}")
    if parts:
        return f" (only at {', '.join(parts)})"
    return f" ({int(wrong.sum())} of {wrong.size} wrong)"
