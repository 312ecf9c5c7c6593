"""The way forward of a layer found out by trying: how it is made and called, and where its arrays lie."""

import dataclasses
import itertools

import numpy as np

from compare.checking import arguments, arrays, naming, orders
from compare.checking.conventions import ACTIVATIONS
from compare.checking.keeping import WEIGHTS, weights_of
from compare.checking.part import Part
from compare.checking.plan import INPUT, Plan, Sizes, size_of
from compare.checking.preparing import alive, origin_of, prepared
from compare.checking.things import AbsentError, CrashedError, HungError, RaisedError
from compare.checking.trying import (
    ATTEMPT,
    Complaints,
    NotConnectedError,
    TroubleError,
    close,
    excuseless,
    progress,
    trouble,
)

SHARE = 4  # of the time of all calls, one layer may take this part until a way to call it is found
LIKE = 0.99  # of `_likeness`: the layouts are those of the code, and what it computes with them is wrong

# The call, as `observe.TASKS` has it, in which a layer is tried out.
FORWARD_TASK = {"head": "head", "whole": "activations"}


def settle(plan, flows, weights, sizes, files=()):
    """The plan with layouts that agree with the right network, or else run and give the right shape, or else get far.

    Args:
        plan: without layouts.
        flows: (one image at a time, order in, order out), the usual ones first.
        weights: by the contract's name, a list of (paths, order).
        sizes: a geometry of which the code can be made.
        files: of the code under test.
    """
    task = FORWARD_TASK.get(plan.stage, f"{plan.stage} forward")
    _, parameters, inputs = sizes.trial()
    x = inputs[INPUT[plan.stage]]
    outputs = {"head": ("probabilities", "logits"), "logits": ("logits", "probabilities")}
    outputs |= {"whole": outputs["head"]}
    wanted = outputs.get(plan.stage, (plan.stage,))
    best, reached, ran, farthest, nearest = dataclasses.replace(plan, score=-1), -1, 0, None, 0.0
    batches: dict = {}
    complaints = Complaints()
    for chosen in itertools.product(*weights.values()):
        for one_image, inward, outward in flows:
            tried = dataclasses.replace(plan, one_image=one_image, inward=inward, outward=outward, sizes=sizes, score=0)
            tried = dataclasses.replace(tried, weights=dict(zip(weights, chosen, strict=True)), gives=wanted[0])
            try:
                part = Part(tried, sizes, np.float64)
                part.set(parameters)
                with np.errstate(all="ignore"):
                    found = np.concatenate([part.forward(chunk).copy() for (chunk,) in part.chunks(x)])
            except (CrashedError, HungError) as error:
                raise trouble(plan.stage, task, error) from error
            except AbsentError as error:
                raise NotConnectedError(plan.stage, error) from error
            except ATTEMPT as error:  # a layout that is not the code's may fail in any way
                complaints.add((str(chosen), one_image, str(inward), str(outward)), error)
                if best.score < 1 and progress(error, files) > reached:
                    best, reached, farthest = tried, progress(error, files), error
                continue
            if not found.size:  # no number came out: nothing is known of these layouts
                continue
            agreed = next((name for name in wanted if close(found, inputs[name])), None)
            if not agreed and plan.stage == "conv" and (act := _activation(found, inputs["conv"])):
                agreed, tried = "conv", dataclasses.replace(tried, activation=act)
            if agreed:
                # right for batches of one, and wrong for those that it takes: it is judged as code for batches
                wrong = batches.get((inward, outward, str(chosen))) if one_image else None
                return _as_stage(dataclasses.replace(wrong or tried, score=3, gives=agreed))
            if not one_image and found.shape == inputs[wanted[0]].shape:
                batches[inward, outward, str(chosen)] = tried
            score = 2 if found.shape == inputs[wanted[0]].shape else 1
            ran += score == 2
            alike = _likeness(found, inputs[wanted[0]]) if score == 2 else 0.0
            if (score, alike) > (best.score, nearest + 0.01):
                nearest = alike
                sums = len(wanted) == 2 and np.allclose(arrays.real(found).sum(axis=-1), 1, atol=1e-3)
                gives = next(name for name in wanted if (name == "probabilities") == sums or len(wanted) == 1)
                best = _as_stage(dataclasses.replace(tried, score=score, gives=gives))
    if best.score < 1 and farthest is not None and excuseless(farthest):
        raise TroubleError(task, "raised", farthest) from farthest
    if best.score < 1:
        raise NotConnectedError(plan.stage, farthest, complaints) from farthest
    return dataclasses.replace(best, chosen=ran > 1 and nearest < LIKE)


def _likeness(found, wanted):
    """How far an array goes with another up and down, 0 to 1: of layouts that are all wrong one may be nearly right."""
    found = arrays.real(found)
    if not np.isfinite(found).all() or not found.std():
        return 0.0
    return abs(float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1]))


def _activation(found, conv):
    """The activation that a convolution ends in, by what came out; "" for none that is known."""
    return next((name for name, (function, _) in ACTIVATIONS.items() if close(found, function(conv))), "")


def _as_stage(plan):
    """A dense layer that gives probabilities is a head."""
    if plan.stage not in ("head", "logits"):
        return plan
    return dataclasses.replace(plan, stage="head" if plan.gives == "probabilities" else "logits")


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
    forwards = [name for name in naming.FORWARDS if name in cls.methods] or arguments.unary(cls.methods)
    if not forwards:
        raise NotConnectedError(stage, f"no method {', '.join(naming.FORWARDS[:3])}")
    makers, guesses = arguments.constructors(cls, stage), arguments.guesses(cls, stage)
    if not WEIGHTS[stage]:  # one with weights is prepared when it turns out to have none yet
        makers += [each for make in makers for each in prepared(make, Plan(stage, make, "", ""), cls.methods)]
    found: list = []
    failures: list = []
    end = cls.stranger.worked + cls.stranger.limit / SHARE
    first: dict = {}  # the complaints of the first geometry of each way
    idle: dict = {}  # what of a geometry does not concern what the code complains of

    def note(way, changed, complaints):
        if way not in first and complaints.raised:
            first[way], idle[way] = complaints, changed
        elif complaints.same(first.get(way)):
            idle[way] |= changed

    for padding in ("valid", "same") if stage == "conv" else ("valid",):
        best = None
        geometries = _geometries(makers, stage, padding)
        ways = [*itertools.product(forwards, geometries, makers), *itertools.product(forwards, geometries[:1], guesses)]
        for forward, (sizes, same), make in ways:
            way, changed = (forward, make), {*same, padding}
            if way in first and changed <= idle[way]:
                continue
            if cls.stranger.worked > end:  # what was not tried may be the way: nothing is held against the code
                if any(each.agreed for each in found):
                    break
                raise NotConnectedError(stage, f"in {cls.stranger.limit / SHARE:.3g} s no way to call it was found")
            made = Complaints()
            for making in alive(make, stage, forward, sizes, channels_first):
                try:
                    weights, zeros = weights_of(making(sizes, np.dtype(np.float64)), stage, sizes, channels_first)
                except (CrashedError, HungError) as error:
                    raise trouble(stage, f"{stage} forward", error) from error
                except ATTEMPT as error:  # arguments that are not the code's; the farthest is told if none are
                    failures.append(error)
                    made.add("made", error)
                    continue
                if all(weights.values()):
                    break
            else:
                note(way, changed, made)
                continue
            plan = Plan(stage, making, cls.name, forward, zeros=zeros, paddings=(padding,))
            plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
            flows = orders.flows(stage, channels_first)
            fitting = [flow for flow in flows if after is None or flow[:2] == (after.one_image, after.outward)]
            try:
                try:
                    tried = settle(plan, fitting, weights, sizes, files)
                except NotConnectedError:
                    if fitting == flows:
                        raise
                    tried = settle(plan, flows, weights, sizes, files)
            except NotConnectedError as error:
                if isinstance(error.__cause__, AbsentError):  # other arguments do not install it
                    raise
                failures.append(error.__cause__ or error)
                if way not in first and error.complaints.same(before):
                    raise
                note(way, changed, error.complaints)
                continue
            if make in guesses and not tried.agreed:
                continue
            if tried.agreed and tried.same and best is not None and _shape_at(tried, best.sizes):
                tried = dataclasses.replace(
                    tried, same=best.same
                )  # right for one channel, and wrong for those it takes
            best = tried if best is None or tried.score > best.score else best
            if best.agreed:
                break
        found += [best] if best else []
    if not found:
        cause = max(failures, key=lambda error: progress(error, files), default=None)
        complaints = next(iter(first.values()), None)
        raise NotConnectedError(stage, cause or "it keeps no weights of a known shape", complaints) from cause
    plan = max(found, key=lambda best: best.score)
    if plan.score < 3 and not plan.same and _shape_at(plan, Sizes(padding=plan.paddings[0])) is None:
        # it ran once, by chance: what it raises at another size would be of our making
        raise NotConnectedError(stage, "no way to call it gave what a right layer gives, at more than one size")
    paddings = tuple(
        each.paddings[0] for each in found if each.score >= 2 and origin_of(each.make) == origin_of(plan.make)
    )
    return dataclasses.replace(plan, paddings=paddings or plan.paddings)


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
