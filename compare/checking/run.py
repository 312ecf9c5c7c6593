"""`compare.check`: somebody's code into a cell of its own, its answers judged, the bug named."""

import dataclasses
import functools
import importlib.util
import json
import sys
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compare import cells
from compare.checking import text
from compare.checking.adapter import draft
from compare.checking.chain import Subject
from compare.checking.conventions import AVERAGE_POOLING
from compare.checking.finding import Found, ImportFailedError, NothingFoundError, Problems, find, find_given, split, stranger_of
from compare.checking.given import Given, by_name, pickled
from compare.checking.judgement import Judgement, judge_subject
from compare.checking.looking import look
from compare.checking.stranger import PROJECT
from compare.contract import NotOfferedError, UnavailableError
from compare.graph import QUANTITIES
from compare.verdict import probes
from compare.verdict.packing import Question, pack, pack_answer

TIMEOUT = 60.0  # seconds
ROW_COLUMNS = (
    "stage",
    "quantity",
    "mode",
    "probe",
    "dtype",
    "outcome",
    "allowance_used",
    "max_abs_error",
    "worst_index",
    "found",
    "wanted",
    "note",
)


# What can be asked to be there, and the stages that are it.
REQUIRED = {
    "conv": ("conv forward", "conv backward"),
    "pool": ("pool forward", "pool backward"),
    "dense": ("dense forward", "dense backward"),
    "softmax": ("softmax forward",),
    "loss": ("loss forward",),
    "update": ("update",),
}


class BrokenError(RuntimeError):
    """An error of this tool's own, which says nothing about the code that was checked."""


class DiffersError(AssertionError):
    """The code that was checked differs, or could not be checked; the message is the whole answer."""


@dataclass
class CheckResult:
    """The answer of `check`.

    target: what was checked.
    status: "ok", "raised" (the code could not be imported), "hung" or "crashed"; `error` says more.
    judgement: a `Judgement`; its rows are empty where the code could not be imported.
    notes: assumptions and remarks, in plain words.
    unconnected: (name, why) of what looks like a part of the network, and for which no way to call it was found.
    require: what had to be judged. found: the `finding.Found` that it was made of; None where there is none.
    ours: packages of this project that the code opened: what it gives may be theirs.
    """

    target: str
    status: str
    error: str
    judgement: Judgement
    notes: list[str] = field(default_factory=list)
    unconnected: list = field(default_factory=list)
    ours: list = field(default_factory=list)
    require: tuple = ()
    found: Any = None

    @property
    def missing(self):
        """What was required, and is not judged: (word of REQUIRED, stages)."""
        judged = {row["stage"] for row in self.judgement.rows if row["outcome"] != "not offered"}
        if any(row["mode"] == "head" and row["outcome"] != "not offered" for row in self.judgement.rows):
            judged |= {"dense forward"}  # which is in what the head gives
        wanted = {word: [stage for stage in REQUIRED[word] if stage not in judged] for word in self.require}
        return [(word, stages) for word, stages in wanted.items() if stages]

    @property
    def quantities(self):
        """Outcome by (mode, quantity), over all probes and dtypes: the worst there was."""
        worst = ("crashed", "hung", "raised", "differs", "not reached", "agrees", "not offered")
        found: dict = {}
        for row in self.judgement.rows:
            key = (row["mode"], row["quantity"])
            before = found.get(key, "not offered")
            found[key] = min(before, row["outcome"], key=worst.index)
        return found

    @property
    def counts(self):
        """How many quantities were checked, and of those passed, differed, failed; and could not be reached or offered.

        A quantity counts once for a stage alone, and once in a whole pass.
        """
        outcomes = list(self.quantities.values())
        of = {name: outcomes.count(name) for name in ("agrees", "differs", "not reached", "not offered")}
        failed = sum(outcomes.count(name) for name in ("raised", "hung", "crashed"))
        return {
            "checked": of["agrees"] + of["differs"] + failed,
            "passed": of["agrees"],
            "differed": of["differs"],
            "failed": failed,
            "not reached": of["not reached"],
            "not offered": of["not offered"],
        }

    @property
    def exit_code(self):
        """0 agrees, 1 differs, 3 not all could be checked, or nothing, 4 the code crashed, hung or raised."""
        counts = self.counts
        if counts["differed"]:
            return 1
        if counts["failed"] or self.status != "ok":
            return 4
        whole = not self.unconnected and not self.ours and not self.missing
        return 0 if counts["passed"] and whole else 3

    @property
    def agrees(self):
        """Whether all that could be checked agrees, and something could."""
        return self.exit_code == 0

    def __str__(self):
        return "\n".join(text.lines(self))

    def _repr_html_(self):
        """For a notebook: the same as a table."""
        return text.html(self)

    def raise_if_different(self):
        """Raise `DiffersError`, with the whole answer, unless all agrees."""
        if not self.agrees:
            raise DiffersError(f"\n{self}")

    def why(self, mode, quantity):
        """Lines about one quantity that fails: what it looks like, and the diagnosis."""
        rows = [row for row in self.judgement.rows if (row["mode"], row["quantity"]) == (mode, quantity)]
        return [text.failing(self, rows), *text.diagnosis(self)]

    def adapter(self):
        """The draft of an adapter for what could not be connected, as Python text; ValueError where nothing is left."""
        if self.found is None:
            raise ValueError("adapter: the code could not be imported, so there is nothing to adapt")
        return draft(split(self.target)[0], self.found)

    def json(self):
        """`document` as text."""
        return json.dumps(self.document(), indent=1, allow_nan=False) + "\n"

    def document(self):
        """What --json holds: all rows, and what was made of them."""
        judgement = self.judgement
        return {
            "schema_version": 1,
            "command": "check",
            "target": self.target,
            "status": self.status,
            "error": self.error,
            "agrees": self.agrees,
            "counts": self.counts,
            "stage": judgement.stage,
            "diagnosis": [
                [{"name": d.name, "stage": d.stage, "looks": d.looks, "advice": d.advice} for d in defects]
                for defects in judgement.diagnosis
            ],
            "diagnosis_by_stage": {
                stage: [{"name": d.name, "looks": d.looks, "advice": d.advice} for d in defects]
                for stage, defects in judgement.by_stage.items()
            },
            "conventions": [convention.name for convention in judgement.conventions],
            "limits": judgement.limits,
            "required_and_not_judged": [{"part": word, "stages": stages} for word, stages in self.missing],
            "unconnected": [{"name": name, "why": why} for name, why in self.unconnected],
            "uses_this_project": self.ours,
            "notes": self.notes,
            "rows": [{name: _plain(row.get(name)) for name in ROW_COLUMNS} for row in judgement.rows],
        }


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


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


def required(words):
    """Names of REQUIRED of one text with commas, or of several; "all" is all of them.

    Raises:
        ValueError: another word.
    """
    words = [word.strip() for word in words.split(",")] if isinstance(words, str) else list(words)
    for word in words:
        if word not in (*REQUIRED, "all"):
            raise ValueError(f"require: found {word!r}, wanted of {', '.join(REQUIRED)}, all")
    return tuple(REQUIRED) if "all" in words else tuple(dict.fromkeys(words))


def _check(name, given, timeout, threads, seed, search, require):
    cases, path = cases_and_path(seed)
    spec = {"task": "check", "target": name, "threads": threads, "limit": timeout}
    if given is None and Path(name).suffix.lower() == ".onnx":
        found = Found(None, Problems())
        result = _of_framework({**spec, "onnx": str(Path(name).absolute())}, cases, path)
    else:
        with stranger_of(name, threads, timeout) as stranger:
            try:
                found = find_given(given, stranger) if given else find(name, stranger)
            except ImportFailedError as error:
                return CheckResult(name, error.outcome, str(error), Judgement([]), [])
            result = _observed(found, stranger, spec, cases, path)
    return dataclasses.replace(answer(name, result, cases, path, search, found), require=require, found=found)


def _of_framework(spec, cases, path):
    """The `cells.Result` of a framework's model; raises as `check` where it is no such network."""
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "probes.npz"
        arrays, meta = pack(cases, probes.DTYPES, path)
        cells.write_result(inputs, meta, arrays)
        (result,) = cells.run([{**spec, "inputs": str(inputs)}], module="compare.checking.cell")
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
    meta["remarks"] += remarks
    meta |= {name: sorted(value) for name, value in stranger.told.items()}
    if Path(split(spec["target"])[0]).resolve().is_relative_to(PROJECT):
        meta["ours"] = []  # asked for by name: it is this project's own code that is to be checked
    return cells.Result(spec, "ok", arrays, meta, "", stranger.printed())


@functools.cache
def cases_and_path(seed):
    """The probes of `check` and its training path."""
    return probes.check_probes(seed), probes.check_path(seed)


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
    return CheckResult(name, result.status, result.error, judgement, notes, found.problems.unconnected, ours)


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
    """Where a process of its own finds a class or function: "FILE:Name"; "" where it is in no file, or inside another."""
    name = getattr(thing, "__qualname__", "")
    module = sys.modules.get(getattr(thing, "__module__", ""))
    file = getattr(module, "__file__", None)
    if not name.isidentifier() or file is None or getattr(module, name, None) is not thing:
        return ""
    package = module.__package__ or ""
    if package and importlib.util.find_spec(thing.__module__) is not None:
        return f"{thing.__module__}:{name}"
    return f"{file}:{name}"


def quantity_names():
    """Every (mode, quantity) that can be checked, and the training path: what a grader's tests are made of."""
    path = [("run", f"path_{name}") for name in ("loss", "conv_weight", "dense_weight", "dense_bias")]
    return [(mode, quantity) for mode, names in QUANTITIES.items() for quantity in names] + path
