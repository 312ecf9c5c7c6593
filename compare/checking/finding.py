"""Somebody else's code: where it is, what it holds, and the subject that can be made of it."""

import contextlib
import difflib
import re
from dataclasses import dataclass, field
from typing import Any

from compare.checking import (
    arguments,
    forwards,
    functions,
    layers,
    losses,
    models,
    naming,
    optimiser,
    trying,
    whole,
)
from compare.checking.chain import chain
from compare.checking.explaining import explain, is_users
from compare.checking.loading import NothingFoundError, files_of, load, run_loading, split
from compare.checking.naming import LAST, LAYER_NAMES, NOT_LAYERS, OTHERS
from compare.checking.plan import UPDATES
from compare.checking.things import Class, Function, inventory

BESIDE = "not checked beside"


@dataclass
class Problems:
    """What could not be connected, and what the code did while its ways were tried.

    unconnected: (name, why) of what looks like a part of the network. troubles: (task, outcome, what it did).
    """

    unconnected: list = field(default_factory=list)
    troubles: list = field(default_factory=list)

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
        """Note a class that does what another does that was taken."""
        self.unconnected.append((name, f"{BESIDE} {taken}; by its name, FILE:{name}, it is"))

    @contextlib.contextmanager
    def of(self, thing):
        """Note what is raised of a class or function, and go on."""
        try:
            yield
        except (trying.NotConnectedError, trying.TroubleError) as error:
            self.add(getattr(thing, "name", "?"), error)


@dataclass
class Found:
    """What a target holds.

    subject: a class with the contract's constructor and those methods that the code offers; None for a framework's.
    listed: (name, framework, module, file) of models of a framework that are to be looked at in a process of their own.
    left_out: sentences about files and statements that were not taken.
    parts: the classes and functions of the code by name.
    """

    subject: Any
    problems: Problems
    listed: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    parts: dict = field(default_factory=dict)


def find(target, stranger):
    """What a target holds.

    Args:
        target: a .py file, a folder, a notebook, a module, or one of these with ":Name" of one class, or of a function
            that makes a framework's model, or of such a model.
        stranger: a `Stranger`, in which the code is loaded.
    Raises:
        NothingFoundError: nothing there can be checked, or there is no such name.
        FileNotFoundError: no such file, folder or module.
        ImportFailedError: the code raises while it is imported.
        UnavailableError: it needs a framework that is not installed.
    """
    place, name = split(target)
    problems = Problems()
    left_out: list[str] = []
    modules = load(place, stranger, left_out)
    found = {key: value for module in modules for key, value in inventory(stranger, module).items()}
    files = [str(file) for file in files_of(place)]
    classes = _first_own(
        {key: value for key, value in found.items() if isinstance(value, Class) and _own(value)}, files
    )
    own = {key: value for key, value in found.items() if isinstance(value, Function) and _own(value)}
    stranger.noticed()
    listed = models.candidates(found, classes, own, stranger.told["frameworks"])
    if name:
        listed = models.named(found[name], stranger.told["frameworks"]) if name in found else []
        if not listed and not isinstance(found.get(name), Class):
            raise NothingFoundError(f"{place} has no class {name!r}{_hint(name, classes)}")
        own = own if isinstance(found[name], Class) else {}
        classes = {name: found[name]} if isinstance(found[name], Class) else {}
    subject = _contract(classes)
    plain = {key: cls for key, cls in classes.items() if not models.from_framework(cls)}
    if subject is None and not (name and listed):
        subject = _layers(plain, own, files, problems)
    if subject is None and not name:
        subject = functions.subject(own, files, problems)
    if subject is None and not problems.troubles:
        subject = whole.subject(plain, files, problems)
    if subject is None and name and plain and not problems.troubles:  # whatever it is called, it was asked for
        subject = _layers(plain, own, files, problems, named=True)
    if subject is None and not listed and not problems.unconnected and not problems.troubles:
        raise NothingFoundError(_nothing(target, [*classes, *own]))
    return Found(subject, problems, listed, left_out, {**classes, **own})


def find_given(given, stranger):
    """What classes and functions hold that were handed over as a `given.Given`. Raises as `find`."""
    problems = Problems()
    module = run_loading(lambda: stranger.load("given", data=given.data), ", ".join(given.names))
    found = {key: value for key, value in inventory(stranger, module).items() if key in given.names}
    classes = {key: value for key, value in found.items() if isinstance(value, Class)}
    own = {key: value for key, value in found.items() if isinstance(value, Function)}
    if framed := [key for key, value in classes.items() if models.from_framework(value)]:
        raise NothingFoundError(f"{', '.join(framed)}: found a framework's model, wanted the file that it is in")
    subject = _contract(classes) or _layers(classes, own, (), problems) or functions.subject(own, (), problems)
    if subject is None and not problems.troubles:
        subject = whole.subject(classes, (), problems)
    if subject is None and len(classes) == 1 and not problems.troubles:  # whatever it is called, it was handed over
        subject = _layers(classes, own, (), problems, named=True)
    if subject is None and not problems.unconnected and not problems.troubles:
        raise NothingFoundError(_nothing(", ".join(given.names), list(given.names)))
    return Found(subject, problems)


def _nothing(target, there):
    return (
        f"nothing to check in {target}: looked for a class with set_parameters (the contract), for layer classes named "
        "Conv..., MaxPool..., Softmax... or Dense..., for functions named conv, maxpool, dense, softmax or "
        "cross_entropy, and for a class of a whole network, of NumPy, torch.nn or Keras; found "
        + (", ".join(there) or "no class and no function")
        + _near(there)
    )


def _hint(name, known):
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.3)
    return f"; did you mean {near[0]!r}?" if near else f"; found {', '.join(known) or 'none'}"


def _near(names):
    wanted = ("Conv3x3", "MaxPool2", "Softmax", "Dense", "conv_forward", "maxpool_forward", "softmax", "cross_entropy")
    pairs = [(name, difflib.get_close_matches(name, wanted, n=1, cutoff=0.6)) for name in names]
    return "".join(f"; {name} is near to {near[0]}" for name, near in pairs if near and near[0] != name)


def _own(thing):
    """Whether something was written by whoever wrote the code: not in NumPy or Python's library."""
    return thing.file is not None and is_users(thing.file)


def _first_own(classes, files):
    """The classes, those that are only imported last; without exceptions."""
    ordered = sorted(classes, key=lambda name: classes[name].file not in files)
    return {name: classes[name] for name in ordered if not classes[name].exception}


def _contract(classes):
    for cls in classes.values():
        if "set_parameters" in cls.methods and any(method in cls.methods for method in whole.CONTRACT):
            return whole.as_contract(cls)
    return None


def _layers(classes, own_functions, files, problems, named=False):
    """A subject of layer classes, or None; softmax and loss may be functions beside them.

    Args:
        named: whether one class was asked for by its name: then it is tried as any layer, whatever it is called.
    """
    chosen: dict = {}
    for stage, pattern in LAYER_NAMES.items():
        names = [name for name in classes if pattern.search(name) and not NOT_LAYERS.search(name)]
        names = [*classes] if named else names
        # a softmax may be a dense layer; an average is what is left where there is no maximum
        for cls in [classes[name] for name in sorted(names, key=lambda name: bool(LAST.match(name)))]:
            if trying.method_of(cls, naming.FORWARDS) or arguments.unary(cls.methods):
                chosen.setdefault(stage, []).append(cls)
    plans: dict = {}
    for stage, several in chosen.items():
        for number, cls in enumerate(several):
            first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
            try:
                plan, problem = layers.connect(cls, stage, files, first)
            except (trying.NotConnectedError, trying.TroubleError) as error:
                if stage == "logits" and not forwards.has_weights(cls):
                    if re.search("softmax", cls.name, re.I):
                        with problems.of(cls):
                            softmax, problem = layers.connect(cls, "probabilities", files, after=plans.get("logits"))
                            plans.setdefault("probabilities", softmax)
                            problems.add(cls.name, problem)
                    continue
                problems.add(cls.name, error)
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
    if not plans:
        return None
    first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
    others = [cls for cls in classes.values() if OTHERS.search(cls.name)]
    loss, of = losses.find_loss_class(others)
    if loss is None or not loss.gives_gradient:
        with problems.of(None):
            alone = losses.find_loss(own_functions)
            if alone is not None and (loss is None or alone.gives_gradient):
                loss, of = alone, None
    if "probabilities" not in plans:
        with problems.of(None):
            if softmax := functions.find_softmax(own_functions, files, plans.get("logits")):
                plans["probabilities"] = softmax
    beside: dict = {}
    unjudged: list = []
    for cls in others:
        if cls is of or not trying.method_of(cls, (*naming.FORWARDS, *UPDATES)):
            continue
        if loss is not None and re.search("loss|entropy", cls.name, re.I):
            problems.beside(cls.name, loss.function.__name__)
            continue
        if trying.method_of(cls, UPDATES):
            if optimiser.is_plain(cls) and (found := optimiser.judge(cls, plans.get("logits"))):
                beside["optimiser"] = found
            elif optimiser.is_plain(cls):
                problems.unconnected.append((cls.name, "no way to call it followed a gradient"))
            else:
                unjudged.append(cls.name)
            continue
        tail = None
        if not plans.keys() & {"logits", "head"} and trying.method_of(cls, naming.FORWARDS):
            with contextlib.suppress(trying.NotConnectedError, trying.TroubleError):  # then it is no dense layer
                tail, problem = layers.connect(cls, "logits", files, first)
        if tail is not None:
            problems.add(cls.name, problem)
            plans[tail.stage] = tail
        else:
            problems.unconnected.append((cls.name, "as a loss it could not be called"))
    remarks = [f"not judged: {', '.join(unjudged)}; of optimisers plain SGD alone is"] if unjudged else []
    found = chain(plans, loss, remarks)
    found.beside = {**found.beside, **beside}
    return found
