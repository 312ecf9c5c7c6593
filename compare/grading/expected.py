"""Differences that a teacher declares, with the reason: they cost no points, and one that is nowhere is an error."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from compare import contract, plain
from compare.grading.rubric import PARTS
from compare.graph import STAGE_OF

KEYS = ("submission", "stage", "quantity", "defect", "convention", "reason")
EVERY = "*"


@dataclass(frozen=True)
class Difference:
    """One that is declared: of one submission, or EVERY. Of the next four one or more are given, and all must fit.

    stage, quantity: where something differs. defect: how `check` names it. convention: that the code is held to.
    """

    submission: str
    reason: str
    stage: str = ""
    quantity: str = ""
    defect: str = ""
    convention: str = ""

    def __str__(self):
        what = ", ".join(each for each in (self.stage, self.quantity, self.defect, self.convention) if each)
        return f"{self.submission}: {what} ({self.reason})"

    def fits(self, name, verdict, quantity):
        """Whether a quantity of this submission that differs is declared by it."""
        if self.submission not in (EVERY, name) or self.convention:
            return False
        if self.stage not in ("", quantity["stage"]) or self.quantity not in ("", quantity["quantity"]):
            return False
        return not self.defect or self.defect in defects_of(verdict, quantity["stage"])

    def names_convention(self, name, verdict):
        """Whether it declares a convention that this submission is held to."""
        held = [each["name"] for each in verdict.get("conventions", [])]
        return self.submission in (EVERY, name) and self.convention != "" and self.convention in held


def defects_of(verdict, stage=None):
    """Names of the defects that explain what differs, without doubt; of one stage, where not one explains all of it."""
    if len(verdict.get("named", [])) == 1:
        return [each["name"] for each in verdict["named"][0]]
    by_stage = verdict.get("by_stage", {})
    wanted = [found for where, found in by_stage.items() if stage is None or where.partition(",")[0] == stage]
    return [found[0]["name"] for found in wanted if len(found) == 1]


def read(path):
    """The `Difference`s of a TOML file with a list [[expected]].

    Raises:
        ValueError: it is no such file; the message names the entry, what was found and what was wanted.
        OSError: it cannot be read.
    """
    where = plain.line(str(path))
    try:
        given = tomllib.loads(Path(path).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: no TOML: {error}") from error
    entries = given.pop("expected", None)
    if given or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{where}: found {', '.join(given) or 'something else'}, wanted [[expected]] and nothing else")
    return [_difference(f"{where}: entry {number}", entry) for number, entry in enumerate(entries, 1)]


def _difference(where, entry):
    for name, value in entry.items():
        if name not in KEYS:
            raise ValueError(f"{where}: {contract.unknown('key', name, KEYS)}")
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{where}: {name}: found {value!r}, wanted a text")
    if missing := [name for name in ("submission", "reason") if name not in entry]:
        raise ValueError(f"{where}: found no {' and no '.join(missing)}, wanted whose it is, or '*', and a reason")
    if not {"stage", "quantity", "defect", "convention"} & entry.keys():
        raise ValueError(f"{where}: found nothing that differs, wanted a stage, quantity, defect or convention")
    for name, known in (("stage", PARTS), ("quantity", STAGE_OF)):
        if name in entry and entry[name] not in known:
            raise ValueError(f"{where}: {contract.unknown(name, entry[name], known)}")
    return Difference(**entry)
