"""The answer of `check`: its rows, what they come to, and how it is said."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compare.checking.finding.loading import split
from compare.checking.judging.judgement import Judgement
from compare.checking.saying import text
from compare.checking.saying.adapter import draft

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
    require: what had to be judged. found: the `subjects.Found` that it was made of; None where there is none.
    ours: packages of this project that the code opened: what it gives may be theirs. frameworks: that it imports.
    when: it raised, hung or crashed, where there are no rows.
    """

    target: str
    status: str
    error: str
    judgement: Judgement
    notes: list[str] = field(default_factory=list)
    unconnected: list = field(default_factory=list)
    ours: list = field(default_factory=list)
    frameworks: list = field(default_factory=list)
    require: tuple = ()
    found: Any = None
    when: str = "while it was imported"

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
