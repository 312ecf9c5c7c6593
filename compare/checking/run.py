"""`compare.check`: somebody's code into a cell of its own, its answers judged, the bug named."""

import dataclasses
import importlib.util
import sys
import tempfile
import traceback
from pathlib import Path

from compare.cells import cells
from compare.checking.calling import trying
from compare.checking.calling.explaining import because
from compare.checking.finding.chain import Subject
from compare.checking.finding.given import Given, by_name, pickled
from compare.checking.finding.loading import ImportFailedError, NothingFoundError, inside, split, stranger_of
from compare.checking.finding.subjects import Found, Problems, find, find_given
from compare.checking.judging.conventions import AVERAGE_POOLING
from compare.checking.judging.judgement import Judgement, judge_subject
from compare.checking.judging.looking import look
from compare.checking.process.stranger import PROJECT
from compare.checking.process.things import SpentError, StrangersError
from compare.checking.saying.result import BrokenError, CheckResult, required
from compare.contract import NotOfferedError, UnavailableError
from compare.graph import QUANTITIES
from compare.verdict import check_probes, probes
from compare.verdict.packing import Question, pack, pack_answer

TIMEOUT = 60.0  # seconds


def check(*targets, timeout=TIMEOUT, threads=1, seed=0, search=True, require=()):
    """Hold somebody's network, or parts of it, to this project's, and name the bug.

    Args:
        targets: a path (FILE, FILE:Name or FOLDER), or a module ("package.module:Class"); or classes, functions and
            objects, one or several, which may come from a notebook: `compare.check(Conv3x3, MaxPool2, Softmax)`.
        timeout: seconds for all of the code under test; it runs in a process of its own, which is killed then. One
            call of it has a quarter of that.
        threads: of that process.
        seed: of the probes.
        search: whether to look for a known defect where something differs.
        require: what must be there and judged, of REQUIRED, or "all": else the answer is 3 instead of 0.
    Returns:
        `CheckResult`.
    Raises:
        FileNotFoundError: no such file.
        ValueError: nothing in there that can be checked; a timeout or threads out of range.
        UnavailableError: it needs a framework that is not installed.
        BrokenError: this tool failed.
    """
    if not timeout > 0:
        raise ValueError(f"timeout: found {timeout!r}, wanted seconds above 0")
    if not (isinstance(threads, int) and threads >= 1):
        raise ValueError(f"threads: found {threads!r}, wanted a whole number of 1 or more")
    require = required(require)
    name, given = _named(targets)
    try:
        return _check(name, given, timeout, threads, seed, search, require)
    except (NothingFoundError, FileNotFoundError, UnavailableError, NotOfferedError, BrokenError):
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}"
        raise BrokenError(f"an error of this tool's own, while it tried {name}: {at}") from error


def _check_place(name):
    """Raise ValueError for a target that can be no file, so that nothing has to be started to see it."""
    shown = name if len(name) <= 80 else f"{name[:60]}..."
    try:
        there = Path(name).exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"target: found {shown!r}, wanted a path or a module's name: {reason}") from error
    if not (there or name.isprintable()) or not name:
        raise ValueError(f"target: found {shown!r}, wanted a path or a module's name")


def _named(targets):
    """(what stands in the answer, what was handed over as `Given` or None) of the targets of `check`."""
    if not targets:
        raise ValueError("target: found none, wanted a path, a module's name, or classes and functions")
    if len(targets) > 1 and any(isinstance(each, str | Path) for each in targets):
        raise ValueError("target: found several with a path among them, wanted one path, or classes and functions")
    (first, *more) = targets
    if isinstance(first, str | Path):
        _check_place(str(first))
        return str(first), None
    if not more and (address := _address(first)):
        return address, None
    things = by_name(targets)
    return ", ".join(things), Given(tuple(things), pickled(things))


def _check(name, given, timeout, threads, seed, search, require):
    cases, path = check_probes.cases(seed)
    spec = {"task": "check", "target": name, "threads": threads, "limit": timeout}
    if given is None and Path(name).suffix.lower() == ".onnx":
        found = Found(None, Problems())
        result = _of_framework({**spec, "onnx": str(Path(name).absolute())}, cases, path)
    else:
        with stranger_of(name, threads, timeout) as stranger:
            try:
                found = find_given(given, stranger) if given else find(name, stranger)
                result = _observed(found, stranger, spec, cases, path)
            except (NothingFoundError, ImportFailedError) as error:
                if given is None and (inner := inside(name)) != name:
                    again = _check(inner, given, timeout, threads, seed, search, require)
                    note = f"remark: of {name} what is in {inner} is taken; of its own: {error}"
                    return dataclasses.replace(again, notes=[*again.notes, note])
                if isinstance(error, NothingFoundError):
                    raise
                return CheckResult(name, error.outcome, str(error), Judgement([]), [])
            except SpentError as error:  # on finding out how it is called: no fault of the code
                return CheckResult(name, "ok", "", Judgement([]), [], [(name, f"{trying.NO_TIME}: {error}")])
            except StrangersError as error:  # at a place where right code can do nothing
                return CheckResult(name, error.outcome, str(error), Judgement([]), [], when="while it was looked at")
    return dataclasses.replace(answer(name, result, cases, path, search, found), require=require, found=found)


def _of_framework(spec, cases, path):
    """The `cells.Result` of a framework's model; raises as `check` where it is no such network."""
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "probes.npz"
        arrays, meta = pack(Question.of(cases, probes.DTYPES, path))
        cells.write_result(inputs, meta, arrays)
        (result,) = cells.run([{**spec, "inputs": str(inputs)}], module="compare.checking.frameworks.cell")
    if result.status == "broken":
        raise BrokenError(result.error)
    if result.status == "missing":
        if result.meta.get("needs"):
            raise UnavailableError(result.error)
        raise (FileNotFoundError if result.meta.get("absent") else NothingFoundError)(result.error)
    return result


def _observed(found, stranger, spec, cases, path):
    """The `cells.Result` of what was found: NumPy comes first where it has the convolution.

    A framework's model beside it is often what it is held against.
    """
    subject, remarks = found.subject, []
    names = ", ".join(name for name, _ in found.listed)
    if found.listed and (subject is None or not {"conv", "whole"} & set(getattr(subject, "plans", ["whole"]))):
        more = {"listed": found.listed, "loads": stranger.loaded, "folders": stranger.folders, "argv": stranger.argv}
        try:
            return _of_framework({**spec, **more}, cases, path)
        except NothingFoundError as error:
            if subject is None:
                raise
            remarks = [f"not checked: {error}"]
    elif found.listed:
        remarks = [f"not checked: {names}, of a framework; by its name, FILE:Name, it is"]
    arrays, meta = pack_answer(*look(Question.of(cases, probes.DTYPES, path), subject or Subject))
    stranger.noticed()
    if stranger.short:
        short = f"not all of it: no time is left of {stranger.limit:g} s, --timeout gives it more"
        found.problems.unconnected.append((spec["target"], short))
    meta["remarks"] += remarks
    meta |= {name: sorted(value) for name, value in stranger.told.items()}
    if Path(split(spec["target"])[0]).resolve().is_relative_to(PROJECT):
        meta["ours"] = []  # asked for by name: it is this project's own code that is to be checked
    return cells.Result(spec, "ok", arrays, meta, "", stranger.printed())


def answer(name, result, cases, path, search=True, found=None):
    """A `CheckResult` from what a cell left, and from what was `Found`."""
    found = found or Found(None, Problems())
    if result.status == "raised" or (result.status != "ok" and result.meta.get("at") == "import"):
        return CheckResult(name, result.status, result.error, Judgement([]), [])
    result.meta["troubles"] = found.problems.troubles
    judgement = judge_subject(result, cases, path, search=search)
    notes = _notes(result, judgement) + [f"remark: {line}" for line in found.left_out]
    ours = result.meta.get("ours", [])
    refusals = getattr(found.subject, "refusals", {})
    found.problems.unconnected += [(name, f"it is refused: {reason}") for name, reason in refusals.items()]
    used = result.meta.get("frameworks", [])
    return CheckResult(name, result.status, result.error, judgement, notes, found.problems.unconnected, ours, used)


def _notes(result, judgement):
    meta = result.meta
    notes = [f"assumed: {line}" for line in meta.get("assumptions", [])]
    notes += [f"remark: {line}" for line in meta.get("remarks", [])]
    notes += [f"remark: {convention.remark}" for convention in judgement.conventions]
    if AVERAGE_POOLING.name in meta.get("conventions", []) and AVERAGE_POOLING not in judgement.conventions:
        as_ours = any(row["quantity"] == "pool" and row["outcome"] == "agrees" for row in judgement.rows)
        notes.append(
            f"remark: {'pooling takes the maximum, and is average by its name' if as_ours else AVERAGE_POOLING.remark}"
        )
    if meta.get("dtypes") == ["float32"]:
        notes.append("remark: it computes in float32, so it is held to float32's rounding")
    if meta.get("one_image"):
        notes.append("limit: it takes one image at a time; batches are put together here, and a step is of one image")
    notes += [f"remark: it seeds the global random state ({line})" for line in meta.get("seeded", [])]
    changed = meta.get("changed_inputs", [])
    notes += [f"remark: the array of {name} that it is given is changed in place" for name in changed]
    if meta.get("varies"):
        names = ", ".join(meta["varies"])
        notes.append(
            f"remark: two calls with the same images give different numbers ({names}): something random, such as "
            "dropout, or a state of the call before is left on"
        )
    absent = [f"{line}{because([line])}" for line in meta.get("absent", [])]
    # of a package that NumPy stands for, what uses it is judged
    judged = [line.endswith("stands for it") for line in absent]
    notes += [
        f"remark: {'' if each else 'what uses it is not judged: '}{line}"
        for line, each in zip(absent, judged, strict=True)
    ]
    if meta.get("frameworks"):
        notes.append(f"remark: it imports {', '.join(meta['frameworks'])}: its numbers may be theirs")
    printed = [line for line in result.log.splitlines() if line.strip()]
    if printed and result.status == "ok":
        notes.append(f"remark: it prints while it computes (last line: {printed[-1][:60]!r})")
    near = sum(int(row["near_ties"]) for row in judgement.rows if row.get("near_ties", 0) == row.get("near_ties", 0.5))
    if near:
        notes.append(f"near ties: in {near} windows two values are closer than rounding; either order was accepted")
    return notes


def _address(thing):
    """Where a process of its own finds a class or function: "FILE:Name"; "" where it cannot."""
    name = getattr(thing, "__qualname__", "")
    module = sys.modules.get(getattr(thing, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is None or not name.isidentifier() or file is None or getattr(module, name, None) is not thing:
        return ""
    package = module.__package__ or ""
    if package and importlib.util.find_spec(thing.__module__) is not None:
        return f"{thing.__module__}:{name}"
    return f"{file}:{name}"


def quantity_names():
    """Every (mode, quantity) that can be checked, and the training path: what a grader's tests are made of."""
    path = [("run", f"path_{name}") for name in ("loss", "conv_weight", "dense_weight", "dense_bias")]
    return [(mode, quantity) for mode, names in QUANTITIES.items() for quantity in names] + path
