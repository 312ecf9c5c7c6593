"""A framework's model made a subject: what a trial on random data settles, and what is said of it.

The trial chooses only what is free: the axes of the images, the order of flattening, and whether logits,
log-probabilities or probabilities come out. A wrong model agrees with none of them, and keeps the usual ones.
"""

import inspect
import itertools

import numpy as np

from compare.checking.calling import arguments
from compare.checking.calling.orders import IMAGES, Order
from compare.checking.calling.plan import Sizes
from compare.checking.calling.trying import close
from compare.checking.frameworks.watched import Choice, Forward, Watched, fitting, pool_of, put, whole
from compare.contract import NotOfferedError

KINDS = ("logits", "log-probabilities", "probabilities")
TRIALS = (
    Sizes((10, 12, 2), 6, 7),
    Sizes((10, 12, 2), 6, 7, "same"),
    Sizes((10, 12, 1), 6, 7),
    Sizes(),
    Sizes(padding="same"),
)
IMAGE_ORDERS = tuple(Order(IMAGES, axes) for axes in (("N", "C", "H", "W"), ("N", "H", "W", "C"), ("N", "H", "W")))
IMAGE_ORDERS += tuple(Order(IMAGES, ("N", joined)) for joined in ("CHW", "HWC"))


def subject(makers, build, orders=IMAGE_ORDERS, backward=True):
    """A subject class of a model.

    Args:
        makers: functions (sizes, dtype) -> the framework's own object, any of which may raise.
        build: (object, dtype) -> `Net`; NotOfferedError where it is not such a network.
        orders: that the images may have, the usual first.
        backward: whether it has gradients.
    Raises:
        NotOfferedError: no such network could be made; the message says why.
    """
    reasons: dict = {}
    for sizes in TRIALS:
        for dtype in ("float64", "float32"):
            choices = []
            for inward in orders:
                try:
                    net = fitting(makers, build, sizes, dtype, inward)
                    choices += [_tried(net, sizes, dtype, inward, rows, backward) for rows in net.denses]
                except NotOfferedError as reason:
                    reasons.setdefault(sizes, str(reason))
            if choices:
                best = max(choices, key=lambda choice: choice.score)
                net = fitting(makers, build, sizes, dtype, best.inward)
                if sizes == TRIALS[-1]:
                    raise NotOfferedError(
                        f"{net.name} pads its images and takes 28x28 only; found no probe of that size with padding "
                        "same: let its constructor take input_shape, filters and classes"
                    )
                return _class(makers, build, best, net, backward, sizes, dtype)
    raise NotOfferedError(reasons[Sizes()])


def _tried(net, sizes, dtype, inward, rows, backward):
    """The `Choice` that these two orders are."""
    if not whole(net, sizes):
        return Choice(inward, rows, "logits", 0)
    right, parameters, inputs = sizes.trial()
    put(net, parameters, rows, sizes, dtype)
    images = {"images": inward.native(inputs["images"].astype(dtype))}
    try:
        seen = net.run(images)
        out, wanted = seen["out"], inputs["probabilities"]
        forms = dict(zip(KINDS, (inputs["logits"], np.log(wanted), wanted), strict=True))
        kind = next((kind for kind, value in forms.items() if close(out, value)), None)
        score = 3 if kind else 1
        if kind is None:
            kind = _looks(out)
            own = net.outward.back(seen["conv"], (3, *sizes.conv))
            pool = pool_of(net, seen, rows, sizes)
            pool = right.forward_stage("pool", own) if "pool" not in seen or pool is None else pool
            score += pool.shape[1:] == sizes.pool and close(seen["dense"], right.forward_stage("logits", pool))
        labels = inputs["labels"]
        sources = ("dense_weight", "conv_weight")
        cut = backward and net.grad(images, "loss", ("out", kind, labels), sources)["conv_weight"] is None
    except Exception as error:  # fails again when asked for, and is noted there
        raise NotOfferedError(f"{net.name} could not be run on random images: {error}") from error
    return Choice(inward, rows, kind, score, cut)


def _looks(out):
    """The kind of an output that agrees with nothing: by its range, or its sums along either axis."""
    if ((out >= 0) & (out <= 1)).all():
        return "probabilities"
    sums = [np.allclose(np.exp(out).sum(axis=axis), 1, atol=1e-3) for axis in (0, -1)]
    return "log-probabilities" if any(sums) else "logits"


def _class(makers, build, choice, net, backward, sizes, dtype):
    """The subject class, with what was found out said in plain words."""
    dtypes = [dtype]
    if dtype == "float64":
        try:
            fitting(makers, build, sizes, "float32", choice.inward)
            dtypes.insert(0, "float32")
        except NotOfferedError:  # it computes in one dtype only
            pass
    order = "(F, P, Q) order, channels first" if "FPQ" in choice.rows.axes else "(P, Q, F) order, channels last"
    sure = {3: "as a trial on random data shows", 2: "as its dense layer shows"}
    assumed = (
        f"{net.name} takes images {choice.inward} and gives {choice.kind}; the rows of its dense weights are in "
        f"{order}, {sure.get(choice.score, 'the usual order: it agrees with neither')}"
    )
    remarks = list(net.remarks)
    if backward and choice.kind != "logits":
        remarks.append(f"it gives {choice.kind}: a loss that takes logits must not be given them")
    body = {
        "makers": makers,
        "build": staticmethod(build),
        "choice": choice,
        "name": net.name,
        "refused": set(),
        "dtypes": tuple(dtypes),
        "one_image": net.one_image,
        "assumptions": [assumed],
        "remarks": remarks,
        "conventions": ("average pooling",) if net.averages else (),
        "of_probabilities": choice.kind == "probabilities" and choice.score == 3,
        "changed_inputs": set(),
    }
    return type("Subject", (Watched if backward else Forward,), body)


def makers_of(candidate, base):
    """Functions (sizes, dtype) -> an object, of a class or function: without arguments first, then by their names.

    Args:
        base: the framework's class whose constructor's arguments are of no interest.
    """
    code = candidate.__init__ if inspect.isclass(candidate) else candidate
    parameters = list(inspect.signature(code).parameters.values())[1 if inspect.isclass(candidate) else 0 :]
    if inspect.isclass(candidate) and code is base.__init__:
        parameters = []

    def named(**arguments):
        return candidate(**arguments)

    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    named.__name__ = candidate.__name__
    return [lambda sizes, dtype: candidate(), *arguments.constructors(named, "whole")]


def found_instead(name, convs, pools, denses):
    """NotOfferedError for a model that is another kind of network; each of the three is a list of descriptions."""
    kinds = (("convolutions", convs), ("poolings", pools), ("dense layers", denses))
    counted = [f"{len(found)} {what}" + (f" ({', '.join(found)})" if found else "") for what, found in kinds]
    return NotOfferedError(
        f"{name}: found {', '.join(counted)}; wanted one convolution 3x3, one pooling 2x2 and one dense layer"
    )


def every(layer) -> list:
    """A layer's own layers at any depth."""
    below = getattr(layer, "layers", [])
    return list(itertools.chain.from_iterable([each, *every(each)] for each in below))
