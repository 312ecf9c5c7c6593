"""The way forward of a layer found out by trying: how it is made and called, and where its arrays lie."""

import contextlib
import dataclasses
import itertools

import numpy as np

from compare.checking.calling import arguments, arrays, naming, orders
from compare.checking.calling.keeping import WEIGHTS, weights_of
from compare.checking.calling.part import Part
from compare.checking.calling.plan import INPUT, Plan, Sizes, size_of
from compare.checking.calling.preparing import alive, called, origin_of, prepared
from compare.checking.calling.trying import ATTEMPT, Complaints, NotConnectedError, progress, trouble
from compare.checking.finding.settling import SHARED, settle
from compare.checking.process.things import AbsentError, CrashedError, HungError, RaisedError

PADDINGS = ("valid", "same")
SHARE = 4  # of the time of all calls, one layer may take this part until a way to call it is found


def find_layer(cls, stage, files=(), channels_first=False, after=None, before=None):
    """The `Plan` of a layer class: how it is made and called, found by trying.

    Args:
        cls: the class; `stage`: "conv", "pool", "logits" (also for a layer that ends in the softmax: the plan's stage
            is "head" then) or "probabilities".
        channels_first: whether the layer before hands on (F, P, Q), which is then the usual order of flattening.
        after: for a softmax, the `Plan` of the dense layer: what that one gives, this one takes, batches or columns.
        before: the `Complaints` of this layer made a little otherwise, all of whose ways failed: where it complains of
            the same, it is not asked further.
    Raises:
        LookupError: no object of the class could be made, or it has no weights of a shape for this stage; the cause,
            if it is an error of the code, is the `__cause__`.
    """
    search = _Search(cls, stage, files, channels_first, after, before)
    found = [best for padding in (PADDINGS if stage == "conv" else PADDINGS[:1]) if (best := search.best(padding))]
    if not found:
        cause = max(search.failures, key=lambda error: progress(error, files), default=None)
        reason = cause or "it keeps no weights of a known shape"
        raise NotConnectedError(stage, reason, next(iter(search.first.values()), None)) from cause
    plan = max(found, key=lambda best: best.score)
    # a ReLU at the end of all is a known mistake; with the others it is a layer between
    hidden = plan.activation in ("sigmoid", "tanh") or arguments.ends_as_told(cls)
    if stage == "logits" and plan.activation and hidden:
        raise NotConnectedError(stage, f"it ends in {plan.activation}, and no way to make it without was found")
    plan = plan if stage in SHARED else dataclasses.replace(plan, activation="")
    if stage == "pool" and not plan.agreed and _reaches_far(plan):
        raise NotConnectedError(stage, "its windows are larger than 2x2, and no way to make them that was found")
    if plan.score < 3 and not plan.same and _shape_at(plan, Sizes(padding=plan.paddings[0])) is None:
        # it ran once, by chance: what it raises at another size would be of our making
        raise NotConnectedError(stage, "no way to call it gave what a right layer gives, at more than one size")
    paddings = tuple(
        each.paddings[0] for each in found if each.score >= 2 and origin_of(each.make) == origin_of(plan.make)
    )
    return dataclasses.replace(plan, paddings=paddings or plan.paddings)


class _Search:
    """The ways in which a layer class may be made and called, and what came of those that were tried.

    Args: as of `find_layer`.

    Attributes:
        failures: errors of the code.
        first, idle: by the way in which it is made and called, what it complained of at first, and what of a geometry
            does not concern that: what is varied in nothing else is not asked.
    """

    def __init__(self, cls, stage, files, channels_first, after, before):
        self.cls, self.stage, self.files, self.channels_first, self.before = cls, stage, files, channels_first, before
        self.forwards = [name for name in naming.FORWARDS if name in cls.methods] or naming.unary(cls.methods)
        if not self.forwards:
            raise NotConnectedError(stage, f"no method {', '.join(naming.FORWARDS[:3])}")
        self.makers, self.guesses = arguments.constructors(cls, stage), arguments.guesses(cls, stage)
        if not WEIGHTS[stage]:  # one with weights is prepared when it turns out to have none yet
            plain = [(make, Plan(stage, make, "", "")) for make in self.makers]
            self.makers += [each for make, plan in plain for each in prepared(make, plan, cls.methods)]
        self.flows = orders.flows(stage, channels_first)
        self.fitting = [flow for flow in self.flows if after is None or flow[:2] == (after.one_image, after.outward)]
        self.failures: list = []
        self.first: dict = {}
        self.idle: dict = {}
        self.agreed = False
        self.end = cls.stranger.worked + cls.stranger.limit / SHARE

    def best(self, padding):
        """The plan of this padding that agrees with the right network, or comes nearest; None where nothing ran."""
        best = None
        geometries = _geometries(self.makers, self.stage, padding)
        ways = [*itertools.product(self.forwards, geometries, self.makers)]
        for forward, (sizes, same), make in [*ways, *itertools.product(self.forwards, geometries[:1], self.guesses)]:
            if (forward, make) in self.first and {*same, padding} <= self.idle[forward, make]:
                continue
            if self.cls.stranger.worked > self.end:  # what was not tried may be the way: no charge against the code
                if self.agreed:
                    break
                seconds = self.cls.stranger.limit / SHARE
                raise NotConnectedError(self.stage, f"in {seconds:.3g} s no way to call it was found")
            tried = self._tried(forward, sizes, same, make)
            if tried is None or (make in self.guesses and not tried.agreed):
                continue
            if tried.agreed and tried.same and best is not None and _shape_at(tried, best.sizes):
                # right for one channel, and wrong for those that it takes
                tried = dataclasses.replace(tried, same=best.same)
            best = tried if best is None or tried.score > best.score else best
            if best.agreed:
                self.agreed = True
                break
        return best

    def _tried(self, forward, sizes, same, make):
        """The `Plan` of one way at one geometry; None where nothing ran."""
        way, changed, made = (forward, make), {*same, sizes.padding}, Complaints()
        for making in alive(make, self.stage, forward, sizes, self.channels_first):
            try:
                code = making(sizes, np.dtype(np.float64))
                weights, zeros = weights_of(code, self.stage, sizes, self.channels_first)
            except (CrashedError, HungError) as error:
                raise trouble(self.stage, f"{self.stage} forward", error) from error
            except ATTEMPT as error:  # arguments that are not the code's; the farthest is told if none are
                self.failures.append(error)
                made.add("made", error)
                continue
            if all(weights.values()):
                break
        else:
            self._note(way, changed, made)
            return None
        plan = Plan(self.stage, making, self.cls.name, forward, zeros=zeros, paddings=(sizes.padding,))
        plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
        try:
            found = self._settled(plan, weights, sizes)
            if not found.agreed and WEIGHTS[self.stage] and _makes_anew(found):
                gone = called(making, self.stage, forward, found.inward)
                found = self._settled(dataclasses.replace(plan, make=gone), weights, sizes)
            return found
        except NotConnectedError as error:
            if isinstance(error.__cause__, AbsentError):  # other arguments do not install it
                raise
            self.failures.append(error.__cause__ or error)
            if way not in self.first and error.complaints.same(self.before):
                raise
            self._note(way, changed, error.complaints)
            return None

    def _settled(self, plan, weights, sizes):
        try:
            return settle(plan, self.fitting, weights, sizes, self.files)
        except NotConnectedError:
            if self.fitting == self.flows:
                raise
            return settle(plan, self.flows, weights, sizes, self.files)

    def _note(self, way, changed, complaints):
        if way not in self.first and complaints.raised:
            self.first[way], self.idle[way] = complaints, changed
        elif complaints.same(self.first.get(way)):
            self.idle[way] |= changed


def _shape_at(plan, sizes):
    """Whether a plan gives the right shape at other sizes; None where it raises."""
    _, parameters, inputs = sizes.trial()
    try:
        part = Part(plan, sizes, np.float64)
        part.set(parameters)
        given = part.chunks(inputs[INPUT[plan.stage]])
        return (
            np.concatenate([part.forward(chunk) for (chunk,) in given]).shape == inputs[plan.gives or plan.stage].shape
        )
    except ATTEMPT:  # it cannot be run at these sizes, in whatever way it says so
        return None


def _ready(plan):
    """(part, one of the inputs of its trial) of a plan, its weights set."""
    _, parameters, inputs = plan.sizes.trial()
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    return part, part.chunks(inputs[INPUT[plan.stage]])[0][0]


def _makes_anew(plan):
    """Whether the first way forward of an object makes its weights anew, whatever was set before."""
    part, x = _ready(plan)
    with contextlib.suppress(*ATTEMPT):
        part.forward(x)
        return any(not arrays.same(part.held[name], value) for name, value in part.get().items())
    return False


def _reaches_far(plan):
    """Whether the first window of a pool sees what stands in the third row and column."""
    part, x = _ready(plan)
    high = x.copy()
    high[:, 2, 2] = 100
    with contextlib.suppress(*ATTEMPT):
        one, other, again = (part.forward(each)[:, 0, 0].copy() for each in (x, high, x))
        return np.array_equal(one, again) and not np.array_equal(one, other)
    return False


def has_weights(cls):
    """Whether an object of the class that needs no arguments keeps arrays; True if it needs some."""
    try:
        return bool(arrays.arrays_of(cls()))
    except RaisedError:
        return True


def _geometries(makers, stage, padding):
    """(sizes, names of those that cannot be chosen), the most general first."""
    if stage == "probabilities":
        return [(Sizes((10, 12, 1), 6, 7), ())]
    if stage == "pool":
        one = [(Sizes((10, 12, 1), 1, 7), ("filters",)), (Sizes((28, 28, 1), 1, 7), ("filters", "images"))]
        return [(Sizes((10, 12, 1), 6, 7), ()), (Sizes((28, 28, 1), 6, 7), ("images",)), *one]
    found: list = [] if stage == "logits" else [(Sizes((10, 12, 2), 6, 7, padding), ())]
    found.append((Sizes((10, 12, 1), 6, 7, padding), ("channels",) if stage == "conv" else ()))
    if stage == "conv":  # for squares alone
        found.append((Sizes((28, 28, 2), 6, 7, padding), ("images",)))
    for make in makers:
        try:
            held = arrays.arrays_of(make(Sizes(padding=padding), np.dtype(np.float64)))
        except ATTEMPT:  # its message is told by the caller, who makes the same object again
            continue
        shapes = [array.shape for path, array in held.items() if not arrays.is_gradient(path)]
        if stage == "conv":
            c, f = next((own for shape in shapes if (own := orders.kernel_sizes(shape))), (1, 8))
            found.append((Sizes((10, 12, c), f, 7, padding), ("channels", "filters")))
            found.append((Sizes((28, 28, c), f, 7, padding), ("channels", "filters", "images")))
        else:
            for rows, k in [shape for shape in shapes if len(shape) == 2 and min(shape) > 1]:
                pair = (max(rows, k), min(rows, k))
                size = (28, 28, 1) if pair[0] == 1352 else (2 * pair[0] + 2, 4, 1)
                found.append((Sizes(size, 8 if pair[0] == 1352 else 1, pair[1]), ("inputs", "classes")))
        break
    if stage == "conv":  # one filter for one map, which may be the whole layer
        found += [(Sizes((10, 12, c), 1, 7, padding), ("channels", "filters")) for c in (2, 1)]
        found.append((Sizes((28, 28, 1), 1, 7, padding), ("channels", "filters", "images")))
    return found
