"""The way back of a layer found out by trying: what it is handed, and where it leaves its gradients."""

import contextlib
import dataclasses
import itertools
import re

import numpy as np

from compare.checking.calling import arrays, handing, naming, orders, words
from compare.checking.calling.part import Part, ReturnedNothingError, head_upstream, items_of
from compare.checking.calling.plan import INPUT
from compare.checking.calling.preparing import prepared
from compare.checking.calling.trying import (
    ATTEMPT,
    NotConnectedError,
    TroubleError,
    close,
    excuseless,
    matches,
    progress,
    trouble,
)
from compare.checking.finding import habits
from compare.checking.finding.settling import settle
from compare.checking.process.things import CrashedError, HungError
from compare.contract import NotOfferedError

BACKWARD_TASK = {"head": "head backward", "whole": "gradients"}
NOWHERE = object()
INPUT_GRADIENTS = {"dinputs", "dinput", "dx", "gradinput", "inputgrad", "dlinput", "dimage", "dimages"}


def learn_backward(plan, files=()):
    """The plan with the places at which the code's backward leaves its gradients.

    Raises:
        NotConnectedError: it has a backward, which raised in every way that it was called.
        TroubleError: it did what no way to call it excuses.
    """
    methods = plan.make(plan.sizes, np.dtype(np.float64)).methods
    names = naming.backwards_of(methods)
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
            raise trouble(f"{plan.stage} backward", task, error) from error
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
    names = handing.unknown(signature)
    kinds = ("given", "x", "out", "cache")
    several = itertools.permutations(kinds, len(names)) if 1 <= len(names) <= len(kinds) else ()
    return [(), *(tuple(zip(names, each, strict=True)) for each in several)]


def _right(plan):
    """How many of a backward's gradients, the input's among them, are what the right network gives.

    Those of a head may be divided by the batch in one place or another.
    """
    network, parameters, inputs = plan.sizes.trial()
    part = Part(plan, plan.sizes, np.float64)
    part.set(parameters)
    x, labels = part.chunks(inputs[INPUT[plan.stage]], inputs["labels"])[0]
    y = part.forward(x)
    head = plan.stage == "head"
    dy = _d_logits(network, x, labels) if head else np.random.default_rng(6).standard_normal(y.shape)
    right = network.backward_stage("logits" if head else plan.stage, x, dy)
    wanted = {"x" if name == INPUT[plan.stage] else name: value for name, value in right.items()}
    try:
        found = part.backward(head_upstream(plan, y, labels, len(x)) if head else dy)
    except ATTEMPT:  # it went once: the second time is the judge's affair
        return 0
    factors = {1, len(x), 1 / len(x)} if head else {1}
    both = found.keys() & wanted.keys()
    return sum(any(close(found[name], wanted[name] * each) for each in factors) for name in both)


def _d_logits(network, x, labels):
    """The gradient of the mean loss, of a network that is ready to go back through its dense layer."""
    found = network.backward_stage("loss", network.forward_stage("logits", x), np.float64(1), labels)["logits"]
    network.forward_stage("logits", x)
    return found


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
                if y.shape[1:] != (right_shape := inputs[plan.gives or plan.stage].shape[1:]):
                    raise NotOfferedError(f"an output of shape {y.shape[1:]}, wanted {right_shape}, goes back nowhere")
                dy = np.random.default_rng(6).standard_normal(y.shape)
                learnt = places(part, lambda part=part, dy=dy: part.call_backward(dy))
                right = network.backward_stage(plan.stage, x, dy)
                learnt = habits.follow(learnt, part.held, x, dy, right)
                learnt = dataclasses.replace(learnt, clears=habits.clears(learnt, part.held, x, dy))
                return dataclasses.replace(learnt, divides=habits.divides(learnt, part.held, x, dy, right))
            part.plan = dataclasses.replace(plan, taken=form)
            given = head_upstream(part.plan, y, labels, len(x))
            learnt = places(part, lambda part=part, given=given: part.call_backward(given))
            right = network.backward_stage("logits", x, _d_logits(network, x, labels))["dense_weight"]
            learnt = dataclasses.replace(
                learnt, own_rate=habits.own_rate(learnt, part.held, x, given, {"dense_weight": right})
            )
            part = Part(learnt, plan.sizes, np.float64)
            part.set(parameters)
            part.forward(x)
            weight = part.backward(given).get("dense_weight", np.zeros(0))
            divides = len(x) > 1 and close(weight, right / len(x))
            learnt = dataclasses.replace(learnt, divides=divides)
            found.append((-_right(learnt), len(found), learnt))
        except (CrashedError, HungError):
            raise
        except ATTEMPT as error:  # another form may be what it takes
            failure = failure or error
    if not found and failure is not None:
        raise failure
    return min(found)[2]


def is_gradient_of(path, weight):
    """Whether a name says that it is the gradient of a weight, whatever its shape: dW or grads[W] of W or weights."""
    name, wanted = (words.plain(str(each[-1]).lstrip("._")) for each in (path, weight))
    bare = re.sub(r"^(grad|delta|nabla|d)", "", name)
    return arrays.is_gradient(path) and any(each and wanted.startswith(each) for each in (bare, name))


def places(part, call):
    """The plan of a part whose forward has run, with where a call leaves gradients."""
    plan = part.plan
    kinds = "fciuO"  # a gradient of another dtype is found like any other: the dtype is for the judge
    before = {path: array.copy() for path, array in arrays.arrays_of(part.code, kinds=kinds).items()}
    items = items_of(call())
    silent = not items
    native = plan.inward.shape(part.x_shape)
    key = next((key for key, value in items.items() if matches(value, native)), NOWHERE)
    dx = None if key is NOWHERE else ("returned", key)
    items.pop(key, None)
    gradients = {}
    signature = part.code.methods[plan.backward]
    takes_rate = handing.takes_rate(signature)
    after = arrays.arrays_of(part.code, kinds=kinds)
    weights = {path for paths, _ in plan.weights.values() for path in paths}
    fresh = [path for path, a in after.items() if path not in before or not arrays.same(a, before[path])]
    # weights that are handed back as they now are, are no gradient
    items = {k: v for k, v in items.items() if not any(v.any() and arrays.same(v, after[p]) for p in weights)}
    for name, (paths, order) in plan.weights.items():
        shape = order.shape(part.shapes[name])
        keys = [key for key, value in items.items() if matches(value, shape)]
        stored = [p for p in fresh if p not in weights and arrays.is_gradient(p) and matches(after[p], shape)]
        if keys:
            gradients[name] = ("returned", keys[0])
            items.pop(keys[0])
        elif stored:
            path = stored[0]
            # a list that grows with each call: what this one has left is the last of it
            grown = isinstance(path[-1], int) and path not in before and (*path[:-1], path[-1] + 1) not in after
            gradients[name] = ("stored", (*path[:-1], -1) if grown else path)
        elif other := [p for p in fresh if p not in weights and is_gradient_of(p, paths[0])]:
            gradients[name] = ("stored", other[0])
        elif other := [key for key in items if isinstance(key, str) and is_gradient_of(("d", key), paths[0])]:
            gradients[name] = ("returned", other[0])
        elif paths[0] in fresh or takes_rate:  # given a rate, it is to move them: that it does not is a mistake
            gradients[name] = ("moved", None)
    missing, left = [name for name in plan.weights if name not in gradients], [k for k, v in items.items() if v.ndim]
    if len(missing) == len(left) == 1:  # one gradient is wanted and one is given: its shape is for the judge
        gradients[missing[0]] = ("returned", left[0])
    if dx is None:
        named = [p for p in fresh if p not in weights and words.plain(str(p[-1]).lstrip("._")) in INPUT_GRADIENTS]
        free = [p for p in fresh if p not in weights and ("stored", p) not in gradients.values()]
        right = [p for p in free if p in named or arrays.is_gradient(p)] or (free if silent and len(free) == 1 else [])
        right = [path for path in right if matches(after[path], native)]
        dx = ("stored", min(right, key=lambda path: path not in named)) if right else None
    if dx is None and plan.stage == "conv":  # what stands in its place is a finding: its shape is for the judge
        free = [key for key, value in items.items() if ("returned", key) not in gradients.values() and value.ndim]
        if len(free) == 1 and items[free[0]].ndim == len(native):
            dx = ("returned", free[0])
        elif named and after[named[0]].ndim == len(native):
            dx = ("stored", named[0])
    if plan.stage == "logits" and silent and not fresh:
        raise ReturnedNothingError(f"{plan.backward} gave nothing back, and leaves nothing: is a return missing?")
    if dx is None and plan.stage == "pool":
        if len(items) > 1:
            raise ValueError(f"{plan.backward} gave {len(items)} arrays, none in the shape of what went in")
        dx = ("returned", next(iter(items), None))  # there is nothing else that it could be
    return dataclasses.replace(plan, dx=dx, gradients=gradients)


def find_way_back(plan, files=()):
    """The plan of `find_layer` with its way back. Raises NotConnectedError or TroubleError as `learn_backward`."""
    failure, found = None, plan
    try:
        found = learn_backward(plan, files)
    except NotConnectedError as error:
        failure = error
    if not failure and (not found.backward or set(found.gradients) == set(plan.weights)):
        return found
    if failure and not plan.training and _is_told(plan):
        return find_way_back(dataclasses.replace(plan, training=True), files)
    one = plan if plan.one_image else _for_one_image(plan, files)
    more = (len(one.gradients), bool(one.dx)) > (len(found.gradients), bool(found.dx))
    if one.score >= plan.score and more:
        return one
    if failure and plan.stage in ("head", "logits") and not plan.same and plan.sizes.classes != 10:  # for ten digits
        ten = dataclasses.replace(plan, sizes=dataclasses.replace(plan.sizes, classes=10), same={"classes": 10})
        with contextlib.suppress(NotConnectedError, TroubleError):
            return find_way_back(ten, files)
    if failure:
        raise failure
    return found


def _is_told(plan):
    """Whether forward can be told that it is in training: then it may keep what backward needs."""
    forward = plan.make(plan.sizes, np.dtype(np.float64)).methods[plan.forward]
    return any(words.plain(name) in words.TRAINING for name in forward.parameters)


def _for_one_image(plan, files):
    """The same layer for one image at a time, if it can be that; else the plan as it is."""
    # it may be meant for one image: then forward takes several by chance, and backward does not
    flows = [flow for flow in orders.flows(plan.stage, "FPQ" in plan.inward.letters) if flow[0]]
    if plan.inward.axes[-1] == "N":
        flows = [(True, plan.inward, plan.outward)]
    try:
        one = settle(plan, flows, {name: [each] for name, each in plan.weights.items()}, plan.sizes, files)
        return learn_backward(one, files)
    except (NotConnectedError, TroubleError):  # what the code did with batches is what is told
        return plan
