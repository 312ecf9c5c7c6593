"""Somebody else's code: where it is, what it holds, and the subject that can be made of it."""

import difflib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compare.checking.calling import naming, trying
from compare.checking.calling.arguments import VARIADIC
from compare.checking.calling.explaining import is_users
from compare.checking.calling.naming import OTHERS
from compare.checking.finding import activations, functions, models, own_forward, own_gradients, whole, windows
from compare.checking.finding.chain import chain
from compare.checking.finding.connecting import Problems, of_classes
from compare.checking.finding.loading import (
    NothingFoundError,
    files_of,
    inside,
    load,
    neighbours,
    run_loading,
    split,
)
from compare.checking.process.things import Class, Function, Method, inventory

INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
NETWORKS = re.compile("cnn|net(?![a-z])|network|model|classifier", re.I)


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
    modules = load(place, stranger, left_out, problems.unconnected)
    found = {key: value for module in modules for key, value in inventory(stranger, module).items()}
    files = [str(file) for file in files_of(place)]
    theirs = {key: value for key, value in found.items() if _own(value, files)}
    classes = _first_own({key: value for key, value in theirs.items() if isinstance(value, Class)}, files)
    own = {key: value for key, value in theirs.items() if isinstance(value, Function)}
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
        aside = {} if name else _aside(place, stranger, left_out)
        subject = of_classes({**aside, **plain}, own, files, problems, aside=aside)
    if subject is None and not name:
        subject = _of_network(plain, functions.subject(own, files, problems), files, problems)
    if subject is None and not problems.troubles:
        subject = whole.subject(plain, files, problems)
    if subject is None and not problems.troubles:
        subject = functions.subject(_methods(plain), files, problems)
        if subject is not None:
            told = dict(problems.unconnected)
            networks = [key for key, cls in plain.items() if _is_network(key, cls) and key not in told]
            problems.unconnected += [(key, "as a whole; its methods are judged, each by itself") for key in networks]
    # a folder inside may have the layers
    if subject is not None or not (listed or problems.troubles or inside(place) != place):
        subject = _with_networks(subject, plain, problems, stranger)
        subject = _with_what_is_beside(subject, {**plain, **own}, problems, stranger)
    if subject is None and name and plain and not problems.troubles:  # whatever it is called, it was asked for
        subject = of_classes(plain, own, files, problems, named=True)
    if subject is None and not listed and not problems.unconnected and not problems.troubles:
        raise NothingFoundError("; ".join([_nothing(target, [*classes, *own]), *left_out]))
    return Found(subject, problems, listed, left_out, {**classes, **own})


def _of_network(classes, subject, files, problems):
    """The subject of functions, or of the class of a whole network that stands beside a few of them."""
    if subject is None or "conv" in subject.plans:
        return subject
    apart = Problems()
    found = whole.subject(classes, files, apart)
    if found is None:
        told, reason = dict(apart.unconnected), "it holds no weights of this network's shapes"
        networks = [name for name, cls in classes.items() if _is_network(name, cls)]
        problems.unconnected += [(name, told.get(name, reason)) for name in networks]
    return found or subject


def _methods(classes):
    """Methods by name of the first class that needs no arguments, and that has a way forward of a layer as a method."""
    for cls in classes.values():
        about = (cls.module, cls.file, cls.at)
        named = {name: each for name, each in cls.methods.items() if naming.stage_of(name)[0]}
        needed = [p for p in cls.__signature__.parameters.values() if p.default is p.empty and p.kind not in VARIADIC]
        if not needed and any(not naming.stage_of(name)[1] for name in named):
            return {name: Method(cls.stranger, name, *about, name, each, cls) for name, each in named.items()}
    return {}


@np.errstate(all="ignore")  # somebody's numbers may be anything
def _with_networks(subject, classes, problems, stranger):
    """The same with classes of whole networks, whose gradients are held to the derivative of their own loss."""
    whole_ones = {name: cls for name, cls in classes.items() if _is_network(name, cls)}
    if stranger.told["frameworks"]:
        return subject
    ours = [plan.name for stage, plan in getattr(subject, "plans", {}).items() if stage == "whole"]
    rows, said, failed, remarks, more = own_gradients.judge(whole_ones, ours)
    for method in ("gradients", "step") if more else ():  # which are not those of the cross-entropy alone
        if method in vars(subject):
            delattr(subject, method)
    told = dict(problems.unconnected)
    for name in [name for name in {**said, **failed} if name not in ours and (subject is None or name in told)]:
        judged = f"its forward is held to nothing; {said.get(name) or failed.get(name)}"
        problems.unconnected[:] = [each for each in problems.unconnected if each[0] != name]
        problems.unconnected.append(
            (name, judged if name in said else f"{told.get(name, 'as a whole')}; {failed[name]}")
        )
    return _with(subject, rows, list(said.values()) if subject is not None else [], remarks)


def _takes_much(thing):
    """Whether it is a function of more than the way back of an activation is given."""
    if not isinstance(thing, Function):
        return False
    return sum(p.default is p.empty for p in thing.__signature__.parameters.values()) > 3


@np.errstate(all="ignore")
def _with_what_is_beside(subject, things, problems, stranger):
    """The subject, which may be None, with layers and activations that stand beside it or alone; None for nothing."""
    unconnected: list = []
    classes = {name: thing for name, thing in things.items() if isinstance(thing, Class)}
    plans = getattr(subject, "plans", {})
    of_windows, *told, named = windows.judge(classes, plans, problems)
    rows, *more = activations.judge(
        {name: thing for name, thing in things.items() if not _takes_much(thing)}, unconnected
    )
    named |= {plan.name for stage, plan in plans.items() if stage != "probabilities"} | {
        row.partition(" ")[2] for row in rows
    }
    named |= {row.partition(" ")[2].partition(".")[0] for row in getattr(subject, "beside", {})}  # of whole networks
    derived, *others = own_forward.judge(classes, {*named, *filter(OTHERS.search, classes)})
    # that a way back agrees with its own forward is not the whole of it
    if not of_windows | rows and subject is None and not any(said for _, said in derived.values()):
        problems.unconnected += [(row.partition(" ")[2], "its way back alone can be judged") for row in derived]
    rows, assumed, remarks = (
        of_windows | rows | derived,
        *([*a, *b, *c] for a, b, c in zip(told, more, others, strict=True)),
    )
    subject = _with(subject, rows, assumed, remarks)
    if subject is not None and not stranger.told["frameworks"]:  # else it may be one of tensors
        problems.unconnected += unconnected
    return subject


def _with(subject, rows, assumed, remarks):
    """A subject, which may be None, with rows of what is judged beside the network; None where there is nothing."""
    if not rows and subject is None:
        return None
    subject = subject or chain({}, None, [])
    subject.beside = {**getattr(subject, "beside", {}), **rows}
    subject.assumptions = [*getattr(subject, "assumptions", []), *assumed]
    subject.remarks = [*getattr(subject, "remarks", []), *remarks]
    return subject


def _is_network(name, cls):
    ways = ((*naming.FORWARDS, "loss"), (*naming.BACKWARDS, *whole.TRAINS, "loss"))
    return bool(NETWORKS.search(name)) and all(trying.method_of(cls, names) for names in ways)


def _aside(place, stranger, left_out):
    """Classes by name of the files beside one file of a package that are losses or optimisers by their names."""
    found: dict = {}
    for file, module in neighbours(place, stranger, left_out):
        for key, value in inventory(stranger, module).items():
            if isinstance(value, Class) and value.file == str(file) and OTHERS.search(key):
                found[key] = value
    return found


def find_given(given, stranger):
    """What classes and functions hold that were handed over as a `given.Given`. Raises as `find`."""
    problems = Problems()
    module = run_loading(lambda: stranger.load("given", data=given.data), ", ".join(given.names))
    found = {key: value for key, value in inventory(stranger, module).items() if key in given.names}
    classes = {key: value for key, value in found.items() if isinstance(value, Class)}
    own = {key: value for key, value in found.items() if isinstance(value, Function)}
    if framed := [key for key, value in classes.items() if models.from_framework(value)]:
        raise NothingFoundError(f"{', '.join(framed)}: found a framework's model, wanted the file that it is in")
    subject = _contract(classes) or of_classes(classes, own, (), problems) or functions.subject(own, (), problems)
    if subject is None and not problems.troubles:
        subject = whole.subject(classes, (), problems)
    subject = _with_networks(subject, classes, problems, stranger)
    subject = _with_what_is_beside(subject, {**classes, **own}, problems, stranger)
    if subject is None and len(classes) == 1 and not problems.troubles:  # whatever it is called, it was handed over
        subject = of_classes(classes, own, (), problems, named=True)
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


def _own(thing, files):
    """Whether a class or function was written by whoever wrote the code: not in NumPy, SciPy or Python's library."""
    file = getattr(thing, "file", None)
    return file is not None and is_users(file) and (not INSTALLED.search(file) or any(map(INSTALLED.search, files)))


def _first_own(classes, files):
    """The classes, those that are only imported last; without exceptions."""
    ordered = sorted(classes, key=lambda name: classes[name].file not in files)
    return {name: classes[name] for name in ordered if not classes[name].exception}


def _contract(classes):
    for cls in classes.values():
        if "set_parameters" in cls.methods and any(method in cls.methods for method in whole.CONTRACT):
            return whole.as_contract(cls)
    return None
