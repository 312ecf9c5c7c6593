"""Convolutions and pools of a geometry of their own, and those that take one: held to the definition at it."""

import contextlib
import dataclasses
import itertools

import numpy as np

from compare.checking.calling import arguments, arrays, naming, orders, trying, words
from compare.checking.calling.explaining import explain
from compare.checking.calling.keeping import WEIGHTS, weights_of
from compare.checking.calling.part import Part
from compare.checking.calling.plan import INPUT, Plan, Sizes, size_of
from compare.checking.calling.preparing import alive
from compare.checking.calling.windows import Window, trial
from compare.checking.finding import bias
from compare.checking.finding.backwards import find_way_back
from compare.checking.judging import windows as right
from compare.checking.judging.conventions import ACTIVATIONS
from compare.checking.process.things import StrangersError
from compare.contract import NotOfferedError

COUNTS = ((3, 4), (4, 4))  # windows along rows and columns, which fit exactly; of a layer for squares alone
LARGEST = 11  # of windows, rows and columns
SHARE = 16  # of the time of all calls, that of all these layers
PADS = ("padding", "pad")
USUAL = Window("pool", 2, 2)


def judge(classes, plans, problems):
    """What is found of geometries other than this network's.

    Args:
        classes: `Class` by name. plans: by stage, of those that are connected.
        problems: `connecting.Problems`; what is judged here is taken out of those that could not be connected.
    Returns:
        (rows as of `activations.judge`, what is assumed, remarks, names of the layers that were judged).
    """
    found = _Judged(max((cls.stranger.worked + cls.stranger.limit / SHARE for cls in classes.values()), default=0))
    for plan in [plans[stage] for stage in ("conv", "pool") if stage in plans]:
        if plan.name in classes and plan.agreed:
            found.asked_for(classes[plan.name], plan)
    for name, why in list(problems.unconnected):
        stage = next((stage for stage in ("conv", "pool") if naming.LAYER_NAMES[stage].search(name)), None)
        if stage and name in classes and not why.startswith("not checked beside"):
            with contextlib.suppress(*trying.FAILURES, trying.NotConnectedError, trying.TroubleError):
                if trouble := found.of_its_own(classes[name], stage):
                    problems.unconnected.append(trouble)
                problems.unconnected.remove((name, why))
    return found.rows, found.assumed, found.remarks, found.names


class _Judged:
    """Rows, assumptions and remarks as they come; `end` is when no more is asked."""

    def __init__(self, end):
        self.end = end
        self.rows: dict = {}
        self.assumed: list = []
        self.remarks: list = []
        self.names: set = set()

    def asked_for(self, cls, plan):
        """A layer that is connected, at the geometries that its arguments offer."""
        own = Window(plan.stage, *plan.sizes.steps(plan.stage))
        with contextlib.suppress(*trying.FAILURES):
            if any(self._held(plan, own).values()):
                return  # it is judged as what it is, and needs no second word
        refused: list = []
        for several in _geometries(cls, plan, own):
            reasons = []
            for window in several:
                if cls.stranger.worked > self.end:
                    return
                try:
                    faults = self._held(plan, window)
                except trying.FAILURES as error:  # a way to call it that is not the code's may fail in any way
                    reasons.append(f"{plan.name} refuses {window}: {_said(error)}")
                    continue
                if several.asked:  # what its maker never did is held against nobody
                    self.remarks += [f"{plan.name} at {window}, if asked for it: {f}" for f in faults.values() if f]
                    faults = {} if any(faults.values()) else faults
                self._row(plan.name, window, faults)
                break
            else:
                refused += reasons
                continue
            if several.whole:
                break
        self.remarks += refused[:1]

    def of_its_own(self, cls, stage):
        """A layer that fits no geometry of this network; (name, why) where its way back is not connected."""
        plan = find(cls, stage, self.end)
        window, problem = plan.sizes.window, None
        try:
            plan = find_way_back(plan)
        except (trying.NotConnectedError, trying.TroubleError) as error:
            problem = (f"{plan.name}, backward", _said(error.__cause__ or error))
        self._row(plan.name, window, self._held(plan, window))
        self.assumed.append(f"{plan.described()}; its windows are {window}, which it is held to")
        return problem

    def _row(self, name, window, faults):
        for kind, fault in faults.items():
            said = f"{name} at {window}: {fault}"
            self.rows[f"{kind} {name} {window}"] = ("differs", said) if fault else ("agrees", "")
        self.names.add(name)

    def _held(self, plan, window):
        """{"layer": what is wrong with its way forward or "", "d_layer": with its way back, where it has one}.

        Raises what the code raises, and NotOfferedError where another size comes out than the formula's.
        """
        several = [_at(plan, window, counts) for counts in COUNTS]
        fit = [sizes for sizes in several if all(size_of(sizes, name) == each for name, each in plan.same.items())]
        faults = self._held_at(plan, (fit or several[-1:])[0])
        if len(fit) == len(several) and any(faults.values()) and not any(self._held_at(plan, several[-1]).values()):
            faults = {kind: fault and f"{fault}; of square maps it agrees" for kind, fault in faults.items()}
        return faults

    def _held_at(self, plan, sizes):
        """The same of one size of maps."""
        part, faults, window = Part(plan, sizes, np.float64), {"layer": ""}, sizes.window
        for seed in (5, 6):
            shape = sizes.conv if plan.stage == "pool" else sizes.input_shape
            definition, parameters, inputs = trial(window, shape, sizes.filters, seed)
            part.set(parameters)
            for (x,) in part.chunks(inputs[INPUT[plan.stage]])[:2]:
                y, wanted = part.forward(x), window.forward(x, definition.weight)
                if y.shape != wanted.shape:
                    raise NotOfferedError(f"{y.shape[1:3]} comes out of {x.shape[1:3]}, wanted {wanted.shape[1:3]}")
                faults["layer"] = right.forward(window, x, definition.weight, y, plan.activation)
                if faults["layer"] and plan.stage == "pool" and trying.close(y, USUAL.forward(x)):
                    raise NotOfferedError(f"it gives the maxima of {USUAL}")
                if faults["layer"]:  # its way back may be that of what it gives
                    return faults
                if plan.backward and (plan.dx or plan.gradients):
                    dy = np.random.default_rng(seed).standard_normal(y.shape)
                    through = ACTIVATIONS[plan.activation][1][0](wanted) if plan.activation else 1
                    try:
                        found = part.backward(dy)
                    except trying.FAILURES as error:
                        self.remarks.append(f"{plan.name}.{plan.backward} refuses {window}: {_said(error)}")
                        return {"layer": ""}
                    wrong = right.backward(window, x, definition.weight, dy * through, found)
                    faults["d_layer"] = faults.get("d_layer") or wrong
        if faults.get("d_layer") == "" and plan.dx and plan.stage == "pool":
            faults["d_layer"] = _tied(part, x)
        if faults.get("d_layer") == "" and plan.gradients:
            with contextlib.suppress(StrangersError, *trying.ATTEMPT):
                seen = bias.judge(dataclasses.replace(plan, sizes=sizes))
                faults["d_layer"] = f"the gradient of its bias: {seen[1]}" if seen and seen[1] else ""
        return faults


class _Several(list):
    """Geometries of which one is enough; whole: all that is offered, changed; asked: no default of its maker's."""

    whole = asked = False


def _said(error):
    return explain(error) if isinstance(error, StrangersError) else str(error)


def _tied(part, x):
    """What is wrong with the gradient of a map that is the same everywhere: each window gives on what it was given."""
    y = part.forward(np.full_like(x, 0.5))
    dy = 1 + np.random.default_rng(7).random(y.shape)
    times = part.backward(dy)["x"].sum() / dy.sum()
    if abs(times - 1) < right.UNIT * dy.size:
        return ""
    return f"where maxima are tied, {times:.3g} times the gradient that went in comes out; give it to the first of them"


def _at(plan, window, counts):
    """The sizes of a plan at a geometry, on which so many windows stand exactly."""
    h, w = map(window.side, counts)
    shape = (h + 2, w + 2, 1) if window.stage == "pool" else (h, w, plan.sizes.input_shape[2])  # a pool's is 2 less
    padding = "same" if window.border and window.stage == "conv" else "valid"
    return dataclasses.replace(plan.sizes, input_shape=shape, padding=padding, window=window)


def _geometries(cls, plan, own):
    """Those that a class offers by its arguments: its own defaults, all of it changed, and each by itself."""
    ahead = cls.methods.get(plan.forward)
    taken = {words.plain(p.name): p.default for p in (ahead.parameters if ahead else {}).values()}
    taken = {name: default for name, default in taken.items() if name in (*words.STRIDES, *PADS)}
    taken |= {words.plain(p.name): p.default for p in cls.__signature__.parameters.values()}
    sizes, steps, pads = (
        [taken[name] for name in taken if name in kind] for kind in (words.WINDOWS, words.STRIDES, PADS)
    )
    pads = [] if plan.stage == "pool" else pads
    size, stride, border = ([each for each in kind if type(each) is int] for kind in (sizes, steps, pads))
    pool = plan.stage == "pool"
    k, p = [*size, own.size][0], [*border, 0 if pads else own.border][0]
    s = [*stride, 0 if pool and None in steps else own.stride][0]
    numbered = pads and not any(isinstance(each, str) for each in pads)
    most = (3 if pool else 5) if sizes else own.size, 2 if steps else own.stride, 1 if numbered else own.border
    wishes = [[(k, s or k, p)], [most], [(most[0], own.stride, own.border)], [(own.size, most[1], own.border)]]
    if not steps and sizes and pool:  # a stride that is the size of the window
        wishes[1:3] = [[(most[0], most[0], 0), most], []]
    if not pads and own.border:  # a border of its own may be half of a window
        wishes = [[each for k, s, p in several for each in ((k, s, k // 2), (k, s, p))] for several in wishes]
    found, before = [], {(own.size, own.stride, own.border)}
    for number, wish in enumerate(wishes):
        wish = _Several(Window(plan.stage, *each) for each in wish if each not in before)
        wish.whole, wish.asked = number > 0, number > 0 or bool(sizes and not size)
        before |= {(each.size, each.stride, each.border) for each in wish}
        found += [wish] if wish and all(1 <= each.size <= LARGEST and each.stride for each in wish) else []
    return found


def is_other(cls):
    """Whether a pool gives the maxima of windows other than this network's."""
    with contextlib.suppress(*trying.FAILURES):
        window = find(cls, "pool", cls.stranger.worked + cls.stranger.limit / SHARE).sizes.window
        return (window.size, window.stride, window.border) != (2, 2, 0)
    return False


def find(cls, stage, end):
    """The `Plan` of a layer whose windows are its own, its sizes with the `Window` that gives what comes out.

    Raises:
        NotOfferedError: none does.
    """
    ahead = [name for name in naming.FORWARDS if name in cls.methods] or naming.unary(cls.methods)
    for forward, make in itertools.product(ahead[:1], arguments.constructors(cls, stage)):
        for sizes, same in _sizes_of(make, stage):
            for making in alive(make, stage, forward, sizes, False):
                if cls.stranger.worked > end:
                    raise NotOfferedError(trying.NO_TIME)
                plan = Plan(stage, making, cls.name, forward, same={name: size_of(sizes, name) for name in same})
                with contextlib.suppress(*trying.ATTEMPT):
                    if found := _fitting(plan, sizes):
                        return found
    raise NotOfferedError("no geometry gives what comes out")


def _sizes_of(make, stage):
    """(sizes with a window that may be its own, names of those that cannot be chosen), the most general first."""
    if stage == "pool":
        for f, same in ((3, ()), (1, ("filters",))):
            for h, w in ((15, 21), (14, 20)):  # 2 more than the map: which of these fits is not known before
                yield Sizes((h, w, 1), f, 7, window=Window("pool", 2, 2)), same
        return
    several = [(2, 3, ()), (1, 3, ("channels",))]
    with contextlib.suppress(*trying.ATTEMPT):
        held = arrays.arrays_of(make(Sizes((12, 14, 1), 3), np.dtype(np.float64)))
        for size, array in itertools.product(range(2, LARGEST + 1), held.values()):
            if own := orders.kernel_sizes(array.shape, size):
                several.append((*own, ("channels", "filters")))
    for (c, f, same), size in itertools.product(dict.fromkeys(several), (5, 3, 7, 4, 2, 1, 6, 9, 11)):
        yield Sizes((size + 6, size + 12, c), f, 7, window=Window("conv", size, 1)), same


def _fitting(plan, sizes):
    """The plan with layouts and a window by which the definition gives what the code gives, a known mistake apart."""
    code = plan.make(sizes, np.dtype(np.float64))
    weights, zeros = weights_of(code, plan.stage, sizes, False)
    if not all(weights.values()):
        return None
    stage, shape = plan.stage, sizes.conv if plan.stage == "pool" else sizes.input_shape
    definition, parameters, inputs = trial(sizes.window, shape, sizes.filters)
    mistaken = None
    for chosen, (one, inward, outward) in itertools.product(itertools.product(*weights.values()), orders.flows(stage)):
        layouts = dict(zip(WEIGHTS[stage], chosen, strict=True))
        tried = dataclasses.replace(plan, one_image=one, inward=inward, outward=outward, weights=layouts, zeros=zeros)
        tried = dataclasses.replace(tried, sizes=sizes, gives=stage, score=3)
        try:
            part = Part(tried, sizes, np.float64)
            part.set(parameters)
            (x,) = part.chunks(inputs[INPUT[stage]])[0]
            y = part.forward(x)
        except trying.ATTEMPT:  # a layout that is not the code's may fail in any way
            continue
        for window in _by_size(sizes.window, x.shape[1:3], y.shape[1:3]):
            wanted = window.forward(x, definition.weight)
            ends = {"": lambda y: y, **{name: each for name, (each, _) in ACTIVATIONS.items() if stage == "conv"}}
            settled = dataclasses.replace(tried, sizes=_at(tried, window, COUNTS[0]))
            for end, each in ends.items():
                if trying.close(y, each(wanted)):
                    return dataclasses.replace(settled, activation=end)
                if stage == "conv" and right.mistaken(window, x, definition.weight, y, each):
                    mistaken = mistaken or dataclasses.replace(settled, activation=end)
    return mistaken


def _by_size(window, before, after):
    """The `Window`s, the usual ones first, that make so many rows and columns of so many."""
    sizes = range(2, LARGEST + 1) if window.stage == "pool" else (window.size,)
    for size, stride in itertools.product(sizes, range(1, 6)):
        for border in range((size + 1) // 2 if window.stage == "pool" else size):
            each = Window(window.stage, size, stride, border)
            if each.counts(before) == tuple(after):
                yield each
