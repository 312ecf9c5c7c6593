"""A layer of the code found out by trying: how it is made and called, and where its arrays lie."""

import contextlib
import dataclasses
import itertools
import re
import sys

import numpy as np

from compare.checking import bias, layouts
from compare.checking.conventions import ACTIVATIONS
from compare.checking.part import INPUT, Part, Plan, ReturnedNothingError, Sizes, head_upstream, items_of, like, size_of
from compare.checking.stranger import CrashedError, HungError, RaisedError, StaleError, StrangersError
from compare.contract import NotOfferedError

FORWARDS: tuple[str, ...] = (
    "forward",
    "feedforward",
    "__call__",
    "forward_pass",
    "call",
    "feed_forward",
    "forward_propagate",
)
FORWARDS += ("forward_propagation", "forward_prop", "forwardprop", "forwardPropagation", "forwardPass", "feedForward")
FORWARDS += ("fprop", "_forward", "_forwards", "run", "apply", "convolve", "predict")
BACKWARDS: tuple[str, ...] = (
    "backprop",
    "backward",
    "back",
    "bprop",
    "backward_pass",
    "backpropagation",
    "backpropagate",
)
BACKWARDS += ("back_propagation", "back_propagate", "backward_propagate", "backward_propagation", "backward_prop")
BACKWARDS += (
    "back_prop",
    "backwardPropagation",
    "backwardPass",
    "backProp",
    "backPropagation",
    "_backward",
    "gradient",
)
PREPARES: tuple[str, ...] = (
    "initialize",
    "init",
    "build",
    "prepare",
    "compile",
    "setup",
    "init_weights",
    "initialize_weights",
)
PREPARES += ("initialize_parameters", "init_params", "init_parameters", "reset_parameters", "set_input_shape", "reset")
WEIGHTS = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias"), "pool": (), "probabilities": ()}
WEIGHTS |= {"head": WEIGHTS["logits"], "whole": ("conv_weight", *WEIGHTS["logits"])}
# The call, as `observe.TASKS` has it, in which a layer is tried out.
FORWARD_TASK = {"head": "head", "whole": "activations"}
BACKWARD_TASK = {"head": "head backward", "whole": "gradients"}

INPUT_GRADIENTS = {"dinputs", "dinput", "dx", "gradinput", "inputgrad", "dlinput", "dimage", "dimages"}


# What comes of a call that may not be the code's own: what it raises, and what its arrays do not fit. The rest is ours.
ATTEMPT = (RaisedError, StaleError, NotOfferedError, ReturnedNothingError, ValueError, TypeError)


class NotConnectedError(Exception):
    """What looks like a layer, and no way to call it was found.

    stage: that it seems to be. reason: what came of the attempt that got farthest.
    """

    def __init__(self, stage, reason):
        super().__init__(reason)
        self.stage = stage


class TroubleError(Exception):
    """What the code did while its ways were tried, and what no way to call it can excuse.

    task: the call, as `observe.TASKS` has it. outcome: "raised", "crashed" or "hung".
    """

    def __init__(self, task, outcome, error):
        super().__init__(str(error))
        self.task, self.outcome, self.error = task, outcome, error


def excuseless(error):
    """Whether no other arguments would have helped: a name that is nowhere defined, or that NumPy no longer has."""
    if isinstance(error, ReturnedNothingError | CrashedError | HungError):
        return True
    if not isinstance(error, RaisedError):
        return False
    bases, text = error.raised["bases"], error.raised["texts"][0]
    named = "NameError" in bases and "UnboundLocalError" not in bases
    return named or bool(re.match(r"module 'numpy' has no attribute|name '\w+' is not defined", text))


def _matches(value, shape):
    return like(value, shape).shape == tuple(shape)


def close(found, wanted):
    """Whether a trial gave what the right network gives; loose, since wrong layouts of random numbers are far off."""
    found = layouts.real(found)  # of another dtype it is a finding, whatever its layout
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def progress(error, files):
    """The line of the code under test that was reached, or 0: of attempts that all fail, the one that got farthest."""
    if excuseless(error):
        return sys.maxsize
    if not isinstance(error, RaisedError):
        return 0
    if "converted to Python scalars" in error.raised["texts"][0]:  # an old habit; but a wrong layout may give it too
        return sys.maxsize - 1
    lines = [line for file, line in error.raised["frames"] if file in files]
    return 1 + lines[0] if lines else 0


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
    best, reached, ran, farthest = dataclasses.replace(plan, score=-1), -1, 0, None
    batches: dict = {}
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
                raise TroubleError(task, error.outcome, error) from error
            except ATTEMPT as error:  # a layout that is not the code's may fail in any way
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
            if score > best.score:
                sums = len(wanted) == 2 and np.allclose(layouts.real(found).sum(axis=-1), 1, atol=1e-3)
                gives = next(name for name in wanted if (name == "probabilities") == sums or len(wanted) == 1)
                best = _as_stage(dataclasses.replace(tried, score=score, gives=gives))
    if best.score < 1 and farthest is not None and excuseless(farthest):
        raise TroubleError(task, "raised", farthest) from farthest
    if best.score < 1:
        raise NotConnectedError(plan.stage, farthest) from farthest
    return dataclasses.replace(best, chosen=ran > 1)


def _activation(found, conv):
    """The activation that a convolution ends in, by what came out; "" for none that is known."""
    return next((name for name, (function, _) in ACTIVATIONS.items() if close(found, function(conv))), "")


def _as_stage(plan):
    """A dense layer that gives probabilities is a head."""
    if plan.stage not in ("head", "logits"):
        return plan
    return dataclasses.replace(plan, stage="head" if plan.gives == "probabilities" else "logits")


def learn_backward(plan, files=()):
    """The plan with the places at which the code's backward leaves its gradients.

    Raises:
        NotConnectedError: it has a backward, which raised in every way that it was called.
        TroubleError: it did what no way to call it excuses.
    """
    methods = plan.make(plan.sizes, np.dtype(np.float64)).methods
    names = [name for name in BACKWARDS if name in methods]
    if not names or plan.stage == "probabilities":  # the softmax's own derivative is no quantity of this network
        return plan
    task = BACKWARD_TASK.get(plan.stage, f"{plan.stage} backward")
    farthest: Exception | None = None
    best: tuple = (-1, None)
    ways = itertools.product(names, (plan.make, *prepared(plan.make, plan, methods)))
    for name, make, hands in [(*way, hands) for way in ways for hands in _hands(methods[way[0]])]:
        try:
            found = _learnt(dataclasses.replace(plan, backward=name, make=make, hands=hands))
        except (CrashedError, HungError) as error:
            raise TroubleError(task, error.outcome, error) from error
        except ATTEMPT as error:  # a way to call it that is not the code's may fail in any way
            if farthest is None or progress(error, files) > progress(farthest, files):
                farthest = error
            continue
        right = _right(found)
        best = max(best, (right, found), key=lambda each: each[0])
        if right == len(found.weights) + 1:
            break
    if best[1] is not None:
        return best[1]
    if excuseless(farthest):
        raise TroubleError(task, "raised", farthest) from farthest
    raise NotConnectedError(f"{plan.stage} backward", farthest) from farthest


def _hands(signature):
    """What arguments that are named like nothing known may stand for: () first, then what a layer remembers."""
    names = layouts.unknown(signature)
    kinds = ("given", "x", "out", "cache")
    several = itertools.permutations(kinds, len(names)) if 1 <= len(names) <= len(kinds) else ()
    return [(), *(tuple(zip(names, each, strict=True)) for each in several)]


def _right(plan):
    """How many of a backward's gradients, the input's among them, are what the right network gives; 0 for a head."""
    if plan.stage == "head":
        return 0
    network, parameters, inputs = plan.sizes.trial()
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    (x,) = part.chunks(inputs[INPUT[plan.stage]])[0]
    dy = np.random.default_rng(6).standard_normal(part.forward(x).shape)
    right = network.backward_stage(plan.stage, x, dy)
    try:
        found = part.backward(dy)
    except ATTEMPT:  # it went once: the second time is the judge's affair
        return 0
    wanted = {"x" if name == INPUT[plan.stage] else name: value for name, value in right.items()}
    return sum(close(found[name], wanted[name]) for name in found if name in wanted)


def _learnt(plan):
    """The plan with where its backward leaves gradients; raises what the code raises where no form is what it takes."""
    network, parameters, inputs = plan.sizes.trial()
    forms = ("d_probabilities", "d_logits", "label", "one-hot") if plan.stage == "head" else ("",)
    found: list = []
    failure: Exception | None = None
    for form in forms:
        part = Part(plan, plan.sizes, np.float64)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT[plan.stage]], inputs["labels"])[0]
        y = part.forward(x)
        try:
            if plan.stage != "head":
                dy = np.random.default_rng(6).standard_normal(y.shape)
                found_places = places(part, lambda part=part, dy=dy: part.call_backward(dy))
                right = network.backward_stage(plan.stage, x, dy)
                _follow(part, found_places, x, dy, right)
                return dataclasses.replace(found_places, divides=_divides(found_places, part.held, x, dy, right))
            part.plan = dataclasses.replace(plan, taken=form)
            given = head_upstream(part.plan, y, labels, len(x))
            learnt = places(part, lambda part=part, given=given: part.call_backward(given))
            single = network.backward_stage("loss", network.forward_stage("logits", x), np.float64(1), labels)["logits"]
            network.forward_stage("logits", x)
            right = network.backward_stage("logits", x, single)["dense_weight"]
            part = Part(learnt, plan.sizes, np.float64)
            part.set(parameters)
            part.forward(x)
            agrees = close(part.backward(given).get("dense_weight", np.zeros(0)), right)
            found.append((not agrees, len(found), learnt))
        except (CrashedError, HungError):
            raise
        except ATTEMPT as error:  # another form may be what it takes
            failure = failure or error
    if not found and failure is not None:
        raise failure
    return min(found)[2]


def _divides(plan, parameters, x, dy, right):
    """Whether a dense layer's backward divides by the size of the batch, which is then not done at the loss."""
    if plan.stage != "logits" or "dense_weight" not in plan.gradients or len(x) == 1:
        return False
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    part.forward(x)
    return close(part.backward(dy).get("dense_weight", np.zeros(0)), right["dense_weight"] / len(x))


def _follow(part, plan, x, dy, right):
    """Raise ValueError where what the weights move by shows no gradient: no plain step was made.

    It must double with the upstream gradient; and where it is not the right one, the same again must give the same.
    """
    names = [name for name, (how, _) in plan.gradients.items() if how == "moved"]

    def moved(again, times):
        again.forward(x)
        return {name: value for name, value in again.backward(times * dy).items() if name in names}

    def same(one, other):
        return all(np.allclose(one[name], other[name], rtol=1e-3, atol=1e-9) for name in names)

    if names:
        parts = [Part(plan, part.sizes, part.dtype) for _ in range(2)]
        for each in parts:
            each.set(part.held)
        once, twice = moved(parts[0], 1), moved(parts[1], 2)
        plain = same({name: 2 * once[name] for name in names}, twice)
        known = all(close(once[name], right[name]) for name in names)
        if not plain or not (known or same(once, moved(parts[0], 1))):
            raise ValueError("the weights move by more than a rate times the gradient, as by momentum or Adam")


def prepared(make, plan, methods):
    """Makers that call, on what `make` makes, a method that many layers want to be called before they are used."""

    def preparing(name):
        def making(sizes, dtype):
            code = make(sizes, dtype)
            code.call(name, *layouts.preparation(methods[name], plan.stage, sizes, dtype))
            return code

        return making

    return [preparing(name) for name in PREPARES if name in methods]


def _is_gradient_of(path, weight):
    """Whether a name says that it is the gradient of a weight, whatever its shape: dW or grads[W] of W or weights."""
    name, wanted = (layouts.plain(str(each[-1]).lstrip("._")) for each in (path, weight))
    bare = re.sub(r"^(grad|delta|nabla|d)", "", name)
    return layouts.is_gradient(path) and any(each and wanted.startswith(each) for each in (bare, name))


def places(part, call):
    """The plan of a part whose forward has run, with where a call leaves gradients."""
    plan = part.plan
    kinds = "fciuO"  # a gradient of another dtype is found like any other: the dtype is for the judge
    before = {path: array.copy() for path, array in layouts.arrays_of(part.code, kinds=kinds).items()}
    items = items_of(call())
    native = plan.inward.shape(part.x_shape)
    key = next((key for key, value in items.items() if _matches(value, native)), layouts)
    dx = None if key is layouts else ("returned", key)
    items.pop(key, None)
    gradients = {}
    signature = part.code.methods[plan.backward]
    takes_rate = any(layouts.plain(name) in layouts.RATES for name in signature.parameters)
    after = layouts.arrays_of(part.code, kinds=kinds)
    weights = {path for paths, _ in plan.weights.values() for path in paths}
    fresh = [path for path, a in after.items() if path not in before or not layouts.same(a, before[path])]
    for name, (paths, order) in plan.weights.items():
        shape = order.shape(part.shapes[name])
        keys = [key for key, value in items.items() if _matches(value, shape)]
        stored = [p for p in fresh if p not in weights and layouts.is_gradient(p) and _matches(after[p], shape)]
        if keys:
            gradients[name] = ("returned", keys[0])
            items.pop(keys[0])
        elif stored:
            gradients[name] = ("stored", stored[0])
        elif other := [p for p in fresh if p not in weights and _is_gradient_of(p, paths[0])]:
            gradients[name] = ("stored", other[0])
        elif other := [key for key in items if isinstance(key, str) and _is_gradient_of(("d", key), paths[0])]:
            gradients[name] = ("returned", other[0])
        elif paths[0] in fresh or takes_rate:  # given a rate, it is to move them: that it does not is a mistake
            gradients[name] = ("moved", None)
    missing, left = [name for name in plan.weights if name not in gradients], [k for k, v in items.items() if v.ndim]
    if len(missing) == len(left) == 1:  # one gradient is wanted and one is given: its shape is for the judge
        gradients[missing[0]] = ("returned", left[0])
    if dx is None:
        own = [path for path in fresh if path not in weights and _matches(after[path], native)]
        named = [path for path in own if layouts.plain(str(path[-1]).lstrip(".")) in INPUT_GRADIENTS]
        dx = ("stored", named[0]) if named else None
    if dx is None and plan.stage == "pool" and (not items or len(items) == 1):  # there is nothing else that it could be
        dx = ("returned", next(iter(items), None))
    return dataclasses.replace(plan, dx=dx, gradients=gradients)


def learn_dtypes(plan):
    """The plan with the dtypes in which the code computes: fed with one, it gives nothing but that one."""
    _, parameters, inputs = plan.sizes.trial()
    dtypes = []
    for dtype in ("float32", "float64"):
        part = Part(plan, plan.sizes, dtype)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT.get(plan.stage, "images")], inputs["labels"])[0]
        try:
            y = part.forward(x)
            if plan.backward and plan.stage == "whole":
                part.learn(x, labels)
            elif plan.backward:
                part.backward(head_upstream(plan, y, labels, len(x)) if plan.stage == "head" else np.ones_like(y))
        except (StrangersError, *ATTEMPT):  # fails again when asked for, and is noted there
            part.seen.discard("")
        if part.seen == {dtype}:
            dtypes.append(dtype)
    return dataclasses.replace(plan, dtypes=tuple(dtypes) or ("float64",))


def method_of(thing, names):
    """The first of the names that is a method of a class or object; None without one."""
    return next((name for name in names if name in thing.methods), None)


def find_layer(cls, stage, files=(), channels_first=False, after=None):
    """The `Plan` of a layer class: how it is made and called, found by trying.

    Args:
        cls: the class; `stage`: "conv", "pool", "logits" (also for a layer that ends in the softmax: the plan's stage
            is "head" then) or "probabilities".
        channels_first: whether the layer before hands on (F, P, Q), which is then the usual order of flattening.
        after: for a softmax, the `Plan` of the dense layer: what that one gives, this one takes, batches or columns.
    Raises:
        LookupError: no object of the class could be made, or it has no weights of a shape for this stage; the cause,
            if it is an error of the code, is the `__cause__`.
    """
    forwards = [name for name in FORWARDS if name in cls.methods] or layouts.unary(cls.methods)
    if not forwards:
        raise NotConnectedError(stage, f"no method {', '.join(FORWARDS[:3])}")
    makers = layouts.constructors(cls, stage)
    found: list = []
    failures: list = []
    for padding in ("valid", "same") if stage == "conv" else ("valid",):
        best = None
        for forward, make, (sizes, same) in itertools.product(forwards, makers, _geometries(makers, stage, padding)):
            for making in alive(make, stage, forward, sizes, channels_first):
                try:
                    weights, zeros = weights_of(making(sizes, np.dtype(np.float64)), stage, sizes, channels_first)
                except (CrashedError, HungError) as error:
                    raise TroubleError(f"{stage} forward", error.outcome, error) from error
                except ATTEMPT as error:  # arguments that are not the code's; the farthest is told if none are
                    failures.append(error)
                    continue
                if all(weights.values()):
                    break
            else:
                continue
            plan = Plan(stage, making, cls.name, forward, zeros=zeros, paddings=(padding,))
            plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
            flows = layouts.flows(stage, channels_first)
            if after is not None:
                flows = [flow for flow in flows if flow[:2] == (after.one_image, after.outward)] or flows
            try:
                tried = settle(plan, flows, weights, sizes, files)
            except NotConnectedError as error:
                failures.append(error.__cause__ or error)
                continue
            if tried.agreed and set(tried.same) == {"channels"} and best is not None and _shape_at(tried, best.sizes):
                tried = dataclasses.replace(tried, same={})  # right for one channel, and wrong for those it takes
            best = tried if best is None or tried.score > best.score else best
            if best.agreed:
                break
        found += [best] if best else []
    if not found:
        cause = max(failures, key=lambda error: progress(error, files), default=None)
        raise NotConnectedError(stage, cause or "it keeps no weights of a known shape") from cause
    plan = max(found, key=lambda best: best.score)
    if plan.score < 3 and not plan.same and _shape_at(plan, Sizes(padding=plan.paddings[0])) is None:
        # it ran once, by chance: what it raises at another size would be of our making
        raise NotConnectedError(stage, "no way to call it gave what a right layer gives, at more than one size")
    paddings = tuple(each.paddings[0] for each in found if each.score >= 2 and each.make is plan.make)
    return dataclasses.replace(plan, paddings=paddings or plan.paddings)


def connect(cls, stage, files=(), channels_first=False, after=None):
    """(`Plan`, what is wrong with its way back or None) of a layer class. Arguments and errors as of `find_layer`."""
    plan, problem = find_layer(cls, stage, files, channels_first, after), None
    try:
        plan = find_way_back(plan, files)
    except (NotConnectedError, TroubleError) as error:
        problem = error
    with contextlib.suppress(StrangersError, *ATTEMPT):  # what raises here is raised where it is judged, and told
        plan = dataclasses.replace(plan, bias=bias.judge(plan))
    return learn_dtypes(plan), problem


def find_way_back(plan, files=()):
    """The plan of `find_layer` with its way back. Raises NotConnectedError or TroubleError as `learn_backward`."""
    failure, found = None, plan
    try:
        found = learn_backward(plan, files)
    except NotConnectedError as error:
        failure = error
    if not failure and (not found.backward or set(found.gradients) == set(plan.weights)):
        return found
    one = plan if plan.one_image else _for_one_image(plan, files)
    more = (len(one.gradients), bool(one.dx)) > (len(found.gradients), bool(found.dx))
    if one.score >= plan.score and more:
        return one
    if failure:
        raise failure
    return found


def _for_one_image(plan, files):
    """The same layer for one image at a time, if it can be that; else the plan as it is."""
    # it may be meant for one image: then forward takes several by chance, and backward does not
    flows = [flow for flow in layouts.flows(plan.stage, "FPQ" in plan.inward.letters) if flow[0]]
    if plan.inward.axes[-1] == "N":
        flows = [(True, plan.inward, plan.outward)]
    try:
        one = settle(plan, flows, {name: [each] for name, each in plan.weights.items()}, plan.sizes, files)
        return learn_backward(one, files)
    except (NotConnectedError, TroubleError):  # what the code did with batches is what is told
        return plan


def alive(make, stage, forward, sizes, channels_first):
    """Makers of an object that holds its weights: as it is made, prepared by a method, after a first call."""
    yield make
    if not WEIGHTS[stage]:
        return
    try:
        code = make(sizes, np.dtype(np.float64))
    except (RaisedError, TypeError, NotOfferedError):  # the caller has met the same
        return
    plan = Plan(stage, make, "", forward)
    makers = [make, *prepared(make, plan, code.methods)]
    yield from makers[1:]
    for each in makers:
        for _, inward, _ in layouts.flows(stage, channels_first):
            yield called(each, stage, forward, inward)


def called(make, stage, forward, inward):
    """A maker whose object has gone forward once: many layers make their weights only then."""

    def making(sizes, dtype):
        part = Part(Plan(stage, make, "", forward, inward=inward, outward=inward), sizes, dtype)
        given = inward.native(np.zeros(_input_shape(stage, sizes), dtype))
        part.last = {"x": given}
        part._call(forward, given, labels=np.zeros(len(given), int))
        return part.code

    return making


def _input_shape(stage, sizes):
    return (2, *(sizes.pool if stage == "logits" else sizes.input_shape))


def _shape_at(plan, sizes):
    """Whether a plan gives the right shape at other sizes; None where it raises."""
    _, parameters, inputs = sizes.trial()
    try:
        part = Part(plan, sizes, np.float64)
        part.set(parameters)
        given = part.chunks(inputs[INPUT[plan.stage]])
        return np.concatenate([part.forward(chunk) for (chunk,) in given]).shape == inputs[plan.stage].shape
    except ATTEMPT:  # it cannot be run at these sizes, in whatever way it says so
        return None


def has_weights(cls):
    """Whether an object of the class that needs no arguments keeps arrays; True if it needs some."""
    try:
        return bool(layouts.arrays_of(cls()))
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
    for make in makers:
        try:
            arrays = layouts.arrays_of(make(Sizes(padding=padding), np.dtype(np.float64)))
        except ATTEMPT:  # its message is told by the caller, who makes the same object again
            continue
        shapes = [array.shape for path, array in arrays.items() if not layouts.is_gradient(path)]
        if stage == "conv":
            c, f = next((own for shape in shapes if (own := layouts.kernel_sizes(shape))), (1, 8))
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


def weights_of(code, stage, sizes, channels_first):
    """({name: [(paths, order), ...]}, paths to hold at 0): where an object may keep the parameters of a stage."""
    kept: dict = {}
    for path, array in layouts.arrays_of(code).items():
        if not layouts.is_gradient(path) and not layouts.is_memory(path):
            kept.setdefault(id(array), ([], array))[0].append(path)
    found: dict = {name: [] for name in WEIGHTS[stage]}
    shapes = sizes.shapes()
    zeros: list = []
    for paths, array in kept.values():
        orders = {
            "conv_weight": lambda shape=array.shape: layouts.kernel_orders(shape, *shapes["conv_weight"][2:]),
            "dense_weight": lambda shape=array.shape: layouts.dense_orders(
                shape, sizes.pool, sizes.classes, channels_first
            ),
            "dense_bias": lambda shape=array.shape: layouts.bias_orders(shape, sizes.classes),
        }
        known = [(name, order) for name in found for order in orders[name]()]
        for name, order in known:
            found[name].append((paths, order))
        if not known and stage in ("conv", "whole") and array.size in (sizes.filters, int(np.prod(sizes.conv))):
            zeros += paths
    if "dense_bias" in found and not found["dense_bias"]:
        del found["dense_bias"]  # a layer without bias is judged as such
    return found, tuple(zeros)
