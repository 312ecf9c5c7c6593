"""Classes of the code put together: layers, and the loss and the optimiser that stand beside them."""

import contextlib
import re
from dataclasses import dataclass, field

from compare.checking.calling import naming, trying
from compare.checking.calling.explaining import explain
from compare.checking.calling.naming import LAST, LAYER_NAMES, NOT_LAYERS, OTHERS
from compare.checking.calling.plan import UPDATES
from compare.checking.finding import forwards, functions, layers, losses, optimiser, windows
from compare.checking.finding.chain import chain

BESIDE = "not checked beside"


@dataclass
class Problems:
    """What could not be connected, and what the code did while its ways were tried.

    unconnected: (name, why) of what looks like a part of the network. troubles: (task, outcome, what it did).
    unjudged: names of what is no part of this network, or not of the code that was asked about.
    """

    unconnected: list = field(default_factory=list)
    troubles: list = field(default_factory=list)
    unjudged: list = field(default_factory=list)

    def add(self, name, problem):
        """Take over a NotConnectedError or TroubleError; None adds nothing."""
        if isinstance(problem, trying.TroubleError):
            self.troubles.append((problem.task, problem.outcome, f"{name}: {explain(problem.error)}"))
        elif problem is not None:
            stage, _, way = problem.stage.partition(" ")
            cause = problem.__cause__
            if name == "?" and ":" in str(problem):  # of several functions it says itself which one
                name, _, reason = str(problem).partition(": ")
                self.unconnected.append((name, reason))
                return
            self.unconnected.append((f"{name}, {way}" if way else name, explain(cause) if cause else str(problem)))

    def beside(self, name, taken):
        """Note a class that does what another does that was taken; an average beside a maximum is no part of it."""
        if LAST.match(name):
            self.unjudged.append(name)
            return
        self.unconnected.append((name, f"{BESIDE} {taken}; by its name, FILE:{name}, it is"))

    @contextlib.contextmanager
    def of(self, thing):
        """Note what is raised of a class or function, and go on."""
        try:
            yield
        except (trying.NotConnectedError, trying.TroubleError) as error:
            self.add(getattr(thing, "name", "?"), error)


def of_classes(classes, own_functions, files, problems, named=False, aside=()):
    """A subject of layer classes, or None; softmax and loss may be functions beside them.

    Args:
        named: whether one class was asked for by its name: then it is tried as any layer, whatever it is called.
        aside: names of classes of other files, which may be loss and optimiser, and of which nothing is asked.
    """
    plans = _layers({name: cls for name, cls in classes.items() if name not in aside}, files, problems, named)
    if not plans:
        return None
    functions.add(plans, ("conv", "pool", "logits"), own_functions, files, problems, beside=True)
    first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
    others = [cls for name, cls in classes.items() if OTHERS.search(name)]
    loss, of = losses.find_loss_class(others)
    if loss is None or not loss.gives_gradient:
        with problems.of(None):
            alone = losses.find_loss(own_functions)
            if alone is not None and (loss is None or alone.gives_gradient):
                loss, of = alone, None
    if "probabilities" not in plans:
        with problems.of(None):
            if softmax := functions.find_softmax(own_functions, files, functions.before_softmax(plans)):
                plans["probabilities"] = softmax
    beside: dict = {}
    judged = []
    for cls in others:
        if cls is not of and trying.method_of(cls, UPDATES):
            found = optimiser.judge(cls, plans.get("logits")) if optimiser.is_plain(cls) else None
            if found:
                beside["optimiser"] = found
                judged.append(cls)
            elif optimiser.is_plain(cls) and cls.name not in aside:
                problems.unconnected.append((cls.name, "no way to call it followed a gradient"))
            else:
                problems.unjudged.append(cls.name)
        elif cls is not of and trying.method_of(cls, naming.FORWARDS):
            _loss_or_head(cls, loss, plans, files, first, problems, aside)
    unjudged = ", ".join(problems.unjudged)
    found = chain(plans, loss, [f"not judged: {unjudged}, which this network has not"] if unjudged else [])
    found.beside = {**found.beside, **beside}
    taken = [cls.name for cls in (of, *judged) if cls is not None and cls.name in aside]
    found.assumptions += [f"{', '.join(taken)}: from a file beside this one"] if taken else []
    return found


def _layers(classes, files, problems, named):
    """{stage: `Plan`} of the layers among classes."""
    chosen: dict = {}
    for stage, pattern in LAYER_NAMES.items():
        names = [name for name in classes if pattern.search(name) and not NOT_LAYERS.search(name)]
        names = [*classes] if named else names
        # a softmax may be a dense layer; an average is what is left where there is no maximum
        for cls in [classes[name] for name in sorted(names, key=lambda name: bool(LAST.match(name)))]:
            if trying.method_of(cls, naming.FORWARDS) or naming.unary(cls.methods):
                chosen.setdefault(stage, []).append(cls)
            elif stage in ("conv", "pool") and re.search("forward|back|conv|pool", " ".join(cls.methods), re.I):
                problems.unconnected.append((cls.name, f"no method {', '.join(naming.FORWARDS[:3])}"))
    plans: dict = {}
    for stage, several in chosen.items():
        for number, cls in enumerate(several):
            first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
            try:
                plan, problem = layers.connect(cls, stage, files, first)
            except (trying.NotConnectedError, trying.TroubleError) as error:
                if stage != "logits" or forwards.has_weights(cls):
                    problems.add(cls.name, error)
                elif re.search("softmax", cls.name, re.I):
                    with problems.of(cls):
                        after = functions.before_softmax(plans)
                        softmax, problem = layers.connect(cls, "probabilities", files, after=after)
                        plans.setdefault("probabilities", softmax)
                        problems.add(cls.name, problem)
                continue
            if plan.stage == "pool" and plan.score < 2 and windows.is_other(cls):
                problems.unconnected.append((cls.name, "its windows are not 2x2 and two apart"))
                continue
            if any(key in plans for key in (plan.stage, "logits", "head")):
                problems.beside(cls.name, ", ".join(plan.name for plan in plans.values()))
                continue
            problems.add(cls.name, problem)
            plans[plan.stage] = plan
            if stage != "logits":  # of dense layers a second class may be the softmax
                for other in several[number + 1 :]:
                    problems.beside(other.name, ", ".join(plan.name for plan in plans.values()))
                break
    return plans


def _loss_or_head(cls, loss, plans, files, first, problems, aside):
    """A class that is a loss by its name, and was not taken for it: another loss, or dense layer and softmax in one."""
    if cls.name in aside or not losses.CROSS_ENTROPY.search(cls.name):
        problems.unjudged.append(cls.name)
    elif loss is not None:
        problems.beside(cls.name, loss.function.__name__)
    else:
        tail = None
        if not plans.keys() & {"logits", "head"}:
            with contextlib.suppress(trying.NotConnectedError, trying.TroubleError):  # then it is no dense layer
                tail, problem = layers.connect(cls, "logits", files, first)
        if tail is None:
            problems.unconnected.append((cls.name, "as a loss it could not be called"))
        else:
            problems.add(cls.name, problem)
            plans[tail.stage] = tail
