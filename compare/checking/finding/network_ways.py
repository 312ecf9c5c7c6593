"""Ways to call a whole network that need not be ours: how it is made, goes forward, and where its gradients are."""

import functools
import itertools
import re

import numpy as np

from compare.checking.calling import arguments, arrays, handing, naming, trying, words
from compare.checking.calling.part import like
from compare.checking.calling.plan import Sizes
from compare.checking.finding import whole
from compare.checking.finding.networks import FORMS, OF_ONE, Flow, Network, is_weight
from compare.checking.judging.derivative import UndecidedError

FORWARDS = tuple(dict.fromkeys((*naming.FORWARDS, *whole.METHODS, "loss")))
BACKWARDS = tuple(dict.fromkeys((*whole.BACKWARDS, *naming.BACKWARDS, "loss", *whole.TRAINS, "train_model", "fit")))
GEOMETRIES = (Sizes((28, 28, 1), 4), Sizes((32, 32, 3), 4), Sizes((32, 32, 1), 4), Sizes((12, 12, 1), 4))


def ways(cls, late):
    """`Network`s of a class, one for each way in which its forward goes; failures are what ATTEMPT has."""
    forward = trying.method_of(cls, FORWARDS)
    takes = cls.methods[forward].parameters
    labels = [p.default is p.empty for name, p in takes.items() if words.plain(name) in words.LABELS]
    flags = (True, False) if any(words.plain(name) in words.TRAINING for name in takes) else (None,)
    failure: Exception | None = None
    for make, sizes in itertools.product(arguments.constructors(cls, "whole"), GEOMETRIES):
        (h, w, c), n = sizes.input_shape, None
        several = [(n, c, h, w), (n, h, w, c), *([(n, h, w), (h, w)] if c == 1 else []), (c, h, w), (h, w, c)]
        for shape in [*several, (n, h * w * c), (h * w * c,), (h * w * c, 1)]:
            for counts in [(2, 1), (1, 1)] if n in shape else [(1, 1)]:
                forms = (*FORMS, *OF_ONE) if counts == (1, 1) else FORMS
                given = ["", *(forms if labels else [])][any(labels) :]
                for form, training in itertools.product(given, flags):
                    late()
                    try:
                        made = functools.partial(make, sizes, np.dtype(np.float64))
                        yield Network(made, forward, shape, counts, form, training, late)
                    except trying.ATTEMPT as error:
                        failure = failure or error
                    except UndecidedError as error:
                        if not training:
                            raise
                        failure = failure or error
    if failure is not None:
        raise failure


def flows(network, methods):
    """The `Flow`s in which gradients may be asked for."""
    forms = (*FORMS, *OF_ONE) if network.counts == (1, 1) else FORMS
    for method in (name for name in methods if name in network.code.methods):
        signature = network.code.methods[method]
        names = [words.plain(name) for name in signature.parameters]
        if set(names) & words.LABELS:
            unknown = handing.unknown(signature)
            for form, role in itertools.product(forms, ("out", "x") if unknown else ("",)):
                yield Flow(method, form, hands=tuple((name, role) for name in unknown))
        elif method != network.forward:
            given = ("upstream", "d_logits") if any(name not in words.RATES for name in names) else ("",)
            yield from (Flow(method, given=each) for each in given)


def places(network, flow):
    """({path of a weight: ("moved" | "stored" | "returned", where)}, those of which another might be it, told)."""
    before, after, items, told = network.gone_back(flow, 0, 1.0)
    moved = [p for p in network.values if p in after and not arrays.same(before[p], after[p])]
    moved = [path for path in moved if network.matters(path)]
    fresh = [p for p, a in after.items() if p not in network.values and not (p in before and arrays.same(a, before[p]))]
    fresh = [("stored", path) for path in fresh if arrays.is_gradient(path)]
    known = {("returned", key): value for key, value in items.items()} | {each: after[each[1]] for each in fresh}
    found: dict = {path: ("moved", path) for path in moved}
    doubtful: set = set()
    for path, value in network.values.items():
        if path in moved:
            continue
        fitting = [each for each, a in known.items() if like(a, value.shape).shape == value.shape]
        near = {each: _affinity(path, each[1]) for each in fitting if each not in found.values()}
        if near and network.matters(path):
            best = max(near.values())
            if list(near.values()).count(best) > 1 or not (best[0] or len(items) == len(network.values)):
                doubtful.add(path)
            found[path] = next(each for each in near if near[each] == best)
        elif moved and is_weight(path) and network.matters(path):
            found[path] = ("moved", path)
    return found, doubtful, told


def _affinity(path, where):
    """How far the names of a gradient's place go with those of a weight: (whether they do, how much is the same)."""
    where = where if isinstance(where, tuple) else (where,)
    last, name = (words.plain(str(each[-1]).lstrip("._")) for each in (path, where))
    bare = re.sub(r"^(grad|delta|nabla|d)|(grads?|gradients?|delta)$", "", name)
    alike = 2 if last in (name, bare) else int(bool(bare) and last.startswith(bare))
    same = next(
        (n for n, pair in enumerate(zip(path[:-1], where[:-1], strict=False)) if pair[0] != pair[1]),
        min(len(path), len(where)) - 1,
    )
    return alike, same
