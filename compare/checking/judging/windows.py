"""A convolution or a pool of any geometry held to its definition, forward and back; and the mistakes known of them."""

import numpy as np

from compare.checking.judging.conventions import ACTIVATIONS

UNIT = 2.0**-24  # unit roundoff of float32, in which the code may compute
NOT_ZEROS = {"edge": "its edge once more", "reflect": "its mirror image", "ones": "ones"}


def forward(window, x, weight, found, activation=""):
    """What is wrong with what came out, or ""; allowed is what adding up may round in float32.

    Args:
        window: a `windows.Window`. x: (N, H, W, C). weight: (I, J, C, F), of a pool None. found: of the right shape.
        activation: that the layer ends in, of ACTIVATIONS.
    """
    ends = ACTIVATIONS[activation][0] if activation else (lambda y: y)
    wanted, allowed = window.forward(x, weight), UNIT * np.abs(x).max()
    if weight is not None:
        allowed = UNIT * weight[..., 0].size * window.forward(np.abs(x), np.abs(weight))
    if (np.abs(found - ends(wanted)) <= allowed).all():
        return ""
    return seen(found, ends(wanted), {name: ends(y) for name, y in _mistaken(window, x, weight).items()})


def mistaken(window, x, weight, found, ends):
    """Whether a known mistake makes just these numbers; `ends`: the function that the layer ends in."""
    return any(_same(found, ends(y)) for y in _mistaken(window, x, weight).values())


def backward(window, x, weight, dy, found):
    """What is wrong with gradients by name, "x" and "conv_weight", those that were found; "" if nothing is.

    Sums and means over the batch are both right for a weight, and a multiple of it added, as of a decay.
    """
    dx, d_weight = window.backward(x, weight, dy)
    absolute = (x, None) if weight is None else (np.abs(x), np.abs(weight))
    sizes = window.backward(*absolute, np.abs(dy))
    per_place = window.size**2 * (1 if weight is None else weight.shape[3])
    if "x" in found:
        if found["x"].shape != dx.shape:
            return f"the gradient of its input has the shape {found['x'].shape}, the input {dx.shape}"
        if not (np.abs(found["x"] - dx) <= UNIT * per_place * sizes[0]).all():
            return f"the gradient of its input: {seen(found['x'], dx, _mistaken_back(window, x, weight, dy))}"
    if "conv_weight" in found:
        own, terms = found["conv_weight"], dy[..., 0].size
        if own.shape != d_weight.shape:
            return f"the gradient of its filters has the shape {own.shape}, the filters {d_weight.shape}"
        rests = [own * times - d_weight for times in (1, len(x))]
        rests += [rest - np.vdot(weight, rest) / np.vdot(weight, weight) * weight for rest in rests]
        if not any((np.abs(rest) <= UNIT * terms * sizes[1]).all() for rest in rests):
            known = {"the filters' gradient is turned round": d_weight[::-1, ::-1]}
            if window.stride > 1:
                apart = window.views(window.padded(x), 1)[:, : dy.shape[1], : dy.shape[2]]
                taken = np.tensordot(apart, dy, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
                known["its windows are taken one apart, not a stride"] = taken
            return f"the gradient of its filters: {seen(own, d_weight, known)}"
    return ""


def seen(found, wanted, known):
    """The place that is farthest off, and the mistake that makes just these numbers, or their multiple of the right."""
    number = np.where(np.isfinite(found), found, np.inf)
    place = np.unravel_index(np.argmax(np.abs(number - wanted)), wanted.shape)
    told = next((f": {name}" for name, wrong in known.items() if _same(found, wrong)), "")
    times = np.vdot(wanted, number) / np.vdot(wanted, wanted) if wanted.any() and np.isfinite(number).all() else 0.0
    if not told and _same(found, times * wanted):
        told = f": {times:.6g} times as large as it should be"
    return f"found {found[place]:.6g}, wanted {wanted[place]:.6g} at {tuple(map(int, place))}{told}"


def _same(found, wrong):
    return found.shape == wrong.shape and np.abs(wrong).max() > 0 and np.allclose(found, wrong, rtol=1e-5, atol=1e-6)


def _mistaken(window, x, weight):
    """What comes out of a forward with one mistake, by its name."""
    p, q = window.counts(x.shape[1:])
    padded = window.padded(x, -np.inf if weight is None else 0.0)

    def of(views):
        return views.max(axis=(4, 5)) if weight is None else np.tensordot(views, weight, axes=((3, 4, 5), (2, 0, 1)))

    known = {}
    if window.stride > 1:
        known["its windows are taken one apart, not a stride"] = of(window.views(padded, 1)[:, :p, :q])
    if window.stage == "pool":
        views = window.views(padded)
        return known | {
            "it takes the minimum": views.min(axis=(4, 5)),
            "it takes the mean": views.mean(axis=(4, 5)),
            "its maximum starts at 0": np.maximum(of(views), 0),
        }
    turned = "the kernel is turned round: this is a convolution, not a cross-correlation; leave it as it lies"
    known[turned] = window.forward(x, weight[::-1, ::-1])
    known["its rows and columns of the kernel are exchanged"] = window.forward(x, weight.transpose(1, 0, 2, 3))
    if b := window.border:
        for mode, words in NOT_ZEROS.items():
            filled = window.padded(x, 1.0) if mode == "ones" else window.padded(x, mode=mode)
            known[f"the border is filled with {words}, not with zeros"] = of(window.views(filled))
        for words, around in (("before", (2 * b, 0)), ("behind", (0, 2 * b))):
            one_sided = np.pad(x, ((0, 0), around, around, (0, 0)))
            known[f"the whole border is put {words} the map, not around it"] = of(window.views(one_sided))
    return known


def _mistaken_back(window, x, weight, dy):
    """The same of the gradient of what went in."""
    if weight is None:
        views = window.views(window.padded(x, -np.inf))
        given = np.where(views == views.max(axis=(4, 5), keepdims=True), dy[..., None, None], 0)
    else:
        given = np.tensordot(dy, weight, axes=((3,), (3,))).transpose(0, 1, 2, 5, 3, 4)
    one_apart = np.zeros((len(x), *(n + 2 * window.border for n in x.shape[1:3]), x.shape[3]))
    overwritten, filled = one_apart.copy(), one_apart.copy()
    for i, j in np.ndindex(*dy.shape[1:3]):
        at, size = (i * window.stride, j * window.stride), window.size
        one_apart[:, i : i + size, j : j + size] += given[:, i, j].transpose(0, 2, 3, 1)
        there = overwritten[:, at[0] : at[0] + size, at[1] : at[1] + size]
        there[...] = given[:, i, j].transpose(0, 2, 3, 1)
        winner = filled[:, at[0] : at[0] + size, at[1] : at[1] + size]
        winner[...] = np.where(given[:, i, j].transpose(0, 2, 3, 1) != 0, there, winner)
    b, (h, w) = window.border, x.shape[1:3]
    places = {
        "windows that overlap overwrite each other; add what each gives to what is there": overwritten,
        "a maximum of several windows keeps the gradient of the last alone; add them up": filled,
        "what each window gives is put one apart, not a stride": one_apart,
    }
    known = {name: each[:, b : b + h, b : b + w] for name, each in places.items()}
    if weight is not None:
        known["it is of the kernel turned round"] = window.backward(x, weight[::-1, ::-1], dy)[0]
    return known
