"""A layer of the code found out by trying: how it is made and called, and where its arrays lie."""

import dataclasses
import inspect
import itertools
import re
import sys
import traceback

import numpy as np

from compare.checking import layouts
from compare.checking.part import INPUT, Part, Plan, ReturnedNothingError, Sizes, head_upstream, items_of, like, size_of

FORWARDS = ("forward", "feedforward", "__call__", "forward_pass", "call")
BACKWARDS = ("backprop", "backward", "back", "bprop", "backward_pass", "backpropagation", "backpropagate")
WEIGHTS = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias"), "pool": (), "probabilities": ()}
WEIGHTS |= {"head": WEIGHTS["logits"], "whole": ("conv_weight", *WEIGHTS["logits"])}
# The call, as `observe.TASKS` has it, in which a layer is tried out.
FORWARD_TASK = {"head": "head", "whole": "activations"}
BACKWARD_TASK = {"head": "head", "whole": "gradients"}


INPUT_GRADIENTS = {"dinputs", "dinput", "dx", "gradinput", "inputgrad", "dlinput", "dimage", "dimages"}


def say_trying(task):
    """Told what comes before the code is run to find out its layouts; `cell` listens, should it never return."""


def _matches(value, shape):
    return like(value, shape).shape == tuple(shape)


def close(found, wanted):
    """Whether a trial gave what the right network gives; loose, since wrong layouts of random numbers are far off."""
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def progress(error, files):
    """The line of the code under test that was reached, or 0: of layouts that all fail, the one that got farthest.

    What cannot come from a wrong layout is farthest of all.
    """
    if isinstance(error, ReturnedNothingError | NameError) or "module 'numpy' has no attribute" in str(error):
        return sys.maxsize
    if "converted to Python scalars" in str(error):  # an old habit; but a wrong layout may give it too
        return sys.maxsize - 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return lines[0] or 0 if lines else 0


def settle(plan, flows, weights, sizes, files=()):
    """The plan with layouts that agree with the right network, or else run and give the right shape, or else get far.

    Args:
        plan: without layouts.
        flows: (one image at a time, order in, order out), the usual ones first.
        weights: by the contract's name, a list of (paths, order).
        sizes: a geometry of which the code can be made.
        files: of the code under test.
    """
    say_trying(FORWARD_TASK.get(plan.stage, f"{plan.stage} forward"))
    _, parameters, inputs = sizes.trial()
    x = inputs[INPUT[plan.stage]]
    outputs = {"head": ("probabilities", "logits"), "logits": ("logits", "probabilities")}
    outputs |= {"whole": outputs["head"]}
    wanted = outputs.get(plan.stage, (plan.stage,))
    best, reached, ran = dataclasses.replace(plan, score=-1), -1, 0
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
            except Exception as error:  # a layout that is not the code's may fail in any way
                if best.score < 1 and progress(error, files) > reached:
                    best, reached = tried, progress(error, files)
                continue
            agreed = next((name for name in wanted if close(found, inputs[name])), None)
            if agreed:
                # right for batches of one, and wrong for those that it takes: it is judged as code for batches
                wrong = batches.get((inward, outward, str(chosen))) if one_image else None
                return _as_stage(dataclasses.replace(wrong or tried, score=3, gives=agreed))
            if not one_image and found.shape == inputs[wanted[0]].shape:
                batches[inward, outward, str(chosen)] = tried
            score = 2 if found.shape == inputs[wanted[0]].shape else 1
            ran += score == 2
            if score > best.score:
                sums = len(wanted) == 2 and np.allclose(found.sum(axis=-1), 1, atol=1e-3)
                gives = next(name for name in wanted if (name == "probabilities") == sums or len(wanted) == 1)
                best = _as_stage(dataclasses.replace(tried, score=score, gives=gives))
    return dataclasses.replace(best, chosen=ran > 1)


def _as_stage(plan):
    """A dense layer that gives probabilities is a head."""
    if plan.stage not in ("head", "logits"):
        return plan
    return dataclasses.replace(plan, stage="head" if plan.gives == "probabilities" else "logits")


def learn_backward(plan):
    """The plan with the places at which the code's backward leaves its gradients."""
    backward = next((name for name in BACKWARDS if hasattr(plan.make(plan.sizes, np.float64), name)), None)
    if backward is None:
        return plan
    say_trying(BACKWARD_TASK.get(plan.stage, f"{plan.stage} backward"))
    plan = dataclasses.replace(plan, backward=backward)
    network, parameters, inputs = plan.sizes.trial()
    forms = ("d_probabilities", "d_logits", "label", "one-hot") if plan.stage == "head" else ("",)
    found: list = []
    for form in forms:
        part = Part(plan, plan.sizes, np.float64)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT[plan.stage]], inputs["labels"])[0]
        try:
            y = part.forward(x)
            if plan.stage != "head":
                dy = np.random.default_rng(6).standard_normal(y.shape)
                return places(part, lambda part=part, dy=dy: part.call_backward(dy))
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
        except Exception:  # what fails here fails again when asked for, where it is noted against the code
            continue
    return min(found)[2] if found else plan


def _is_gradient_of(path, weight):
    """Whether a name says that it is the gradient of a weight, whatever its shape: dW or grads[W] of W or weights."""
    name, wanted = (layouts.plain(str(each[-1]).lstrip("._")) for each in (path, weight))
    bare = re.sub(r"^(grad|delta|nabla|d)", "", name)
    return layouts.is_gradient(path) and any(each and wanted.startswith(each) for each in (bare, name))


def places(part, call):
    """The plan of a part whose forward has run, with where a call leaves gradients."""
    plan = part.plan
    before = {path: array.copy() for path, array in layouts.arrays_of(part.code).items()}
    items = items_of(call())
    native = plan.inward.shape(part.x_shape)
    key = next((key for key, value in items.items() if _matches(value, native)), layouts)
    dx = None if key is layouts else ("returned", key)
    items.pop(key, None)
    gradients = {}
    signature = inspect.signature(getattr(part.code, plan.backward))
    takes_rate = any(layouts.plain(name) in layouts.RATES for name in signature.parameters)
    after = layouts.arrays_of(part.code)
    weights = {path for paths, _ in plan.weights.values() for path in paths}
    fresh = [
        path for path, a in after.items() if path not in before or not np.array_equal(a, before[path], equal_nan=True)
    ]
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
    if dx is None and plan.stage == "pool":  # there is nothing else that it could give
        dx = ("returned", None)
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
        except Exception:  # fails again when asked for, and is noted there
            part.seen.discard("")
        if part.seen == {dtype}:
            dtypes.append(dtype)
    return dataclasses.replace(plan, dtypes=tuple(dtypes) or ("float64",))


def method_of(thing, names):
    """The first of the names that is a method of a class or object; None without one.

    `hasattr` will not do: a class is itself callable, so each seems to have `__call__`.
    """
    cls = thing if inspect.isclass(thing) else type(thing)
    return next((name for name in names if any(callable(vars(base).get(name)) for base in cls.__mro__)), None)


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
    forward = method_of(cls, FORWARDS)
    if forward is None:
        raise LookupError(f"{cls.__name__} has no method {', '.join(FORWARDS[:3])}")
    makers = layouts.constructors(cls, stage)
    found: list = []
    failures: list = []
    for padding in ("valid", "same") if stage == "conv" else ("valid",):
        best = None
        for make, (sizes, same) in itertools.product(makers, _geometries(makers, stage, padding)):
            try:
                weights, zeros = weights_of(make(sizes, np.dtype(np.float64)), stage, sizes, channels_first)
            except Exception as error:  # arguments that are not the code's; the last error is told if none are
                failures.append(error)
                continue
            if not all(weights.values()):
                continue
            plan = Plan(stage, make, cls.__name__, forward, zeros=zeros, paddings=(padding,))
            plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
            flows = layouts.flows(stage, channels_first)
            if after is not None:
                flows = [flow for flow in flows if flow[:2] == (after.one_image, after.outward)] or flows
            tried = settle(plan, flows, weights, sizes, files)
            if tried.agreed and set(tried.same) == {"channels"} and best is not None and _runs(tried, best.sizes):
                tried = dataclasses.replace(tried, same={})  # right for one channel, and wrong for those it takes
            best = tried if best is None or tried.score > best.score else best
            if best.agreed:
                break
        found += [best] if best else []
    if not found:
        cause = failures[-1] if failures else None
        raise LookupError(f"no {cls.__name__} could be made with weights of a known shape") from cause
    plan = max(found, key=lambda best: best.score)
    paddings = tuple(each.paddings[0] for each in found if each.score >= 2 and each.make is plan.make)
    plan = learn_backward(dataclasses.replace(plan, paddings=paddings or plan.paddings))
    if plan.backward and plan.inward.axes[-1] == "N" and set(plan.gradients) != set(plan.weights):
        # columns are often meant for one image: then forward takes several by chance, and backward does not
        one = learn_backward(dataclasses.replace(plan, one_image=True))
        plan = one if len(one.gradients) > len(plan.gradients) else plan
    return learn_dtypes(plan)


def _runs(plan, sizes):
    """Whether a plan gives the right shape at other sizes."""
    _, parameters, inputs = sizes.trial()
    try:
        part = Part(plan, sizes, np.float64)
        part.set(parameters)
        given = part.chunks(inputs[INPUT[plan.stage]])
        return np.concatenate([part.forward(chunk) for (chunk,) in given]).shape == inputs[plan.stage].shape
    except Exception:  # it cannot be run at these sizes, in whatever way it says so
        return False


def has_weights(cls):
    """Whether an object of the class that needs no arguments keeps arrays; True if it needs some."""
    try:
        return bool(layouts.arrays_of(cls()))
    except TypeError:
        return True


def _geometries(makers, stage, padding):
    """(sizes, names of those that cannot be chosen), the most general first."""
    if stage == "probabilities":
        return [(Sizes((10, 12, 1), 6, 7), ())]
    if stage == "pool":
        return [(Sizes((10, 12, 1), 6, 7), ()), (Sizes((28, 28, 1), 6, 7), ("images",))]
    found: list = [] if stage == "logits" else [(Sizes((10, 12, 2), 6, 7, padding), ())]
    found.append((Sizes((10, 12, 1), 6, 7, padding), ("channels",) if stage == "conv" else ()))
    for make in makers:
        try:
            arrays = layouts.arrays_of(make(Sizes(padding=padding), np.dtype(np.float64)))
        except Exception:  # its message is told by the caller, who makes the same object again
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
