"""What a cell observed of somebody's code, judged: rows, conventions scaled out, the defect that explains the rest."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from compare.checking.judging.conventions import (
    ACTIVATED,
    AVERAGE_POOLING,
    NO_BIAS,
    OF_ACTIVATED,
    OF_LOSS,
    SETS,
    Convention,
)
from compare.checking.judging.decays import decays
from compare.checking.judging.epsilons import epsilons
from compare.checking.judging.picture import picture
from compare.checking.judging.rows import (
    FAILED,
    FIRST_PROBE,
    LATE,
    cut_short,
    gone,
    larger_odd_maps,
    limits_of,
    settle_rows,
    troubled,
)
from compare.contract import PARAMETERS
from compare.graph import STAGE_ORDER
from compare.verdict import judge, probes
from compare.verdict.defects import DEFECTS, Defect
from compare.verdict.diagnose import Evidence, diagnose, explaining
from compare.verdict.expected import Expected, Manner
from compare.verdict.packing import PATH, by_case, unpack_answer
from compare.verdict.path import judge_path

DECLARED = {each.name: (each,) for each in (AVERAGE_POOLING, NO_BIAS)} | ACTIVATED

# Of no network of the contract, judged by themselves where the code has them: what they are, and their stage.
BESIDE = {"d_conv_bias": "conv backward", "optimiser": "update"}
BESIDE |= {"activation": "activation forward", "d_activation": "activation backward"}
BESIDE |= {"layer": "layer forward", "d_layer": "layer backward", "derivative": "layer backward"}
BESIDE |= {"gradient": "network backward", "training": "training step"}


def beside(quantity):
    """The word of BESIDE of such a quantity, which may be followed by a name; "" of one of the network."""
    word = quantity.partition(" ")[0]
    return word if word in BESIDE else ""


@dataclass
class Judgement:
    """The verdict on one subject.

    rows: as of `judge.judge_probe`, one list for all probes and dtypes; outcomes "agrees", "differs", "raised", "hung",
        "crashed", "not reached" (something before it failed) and "not offered".
    diagnosis: the known defects that explain everything that differs, as tuples of one or two: more than one tuple
        where they cannot be told apart. Empty where nothing differs or no known defect explains it.
    conventions: `Convention`s that the code is held to: those scaled out, and average pooling where it is that.
    limits: what could not be checked, by probe, and why.
    by_stage: where no known defect explains everything, those that explain all rows of one stage, by stage; an empty
        list for a stage that none explains. By "stage, quantity" where only one by one are explained.
    stage: the first that failed, in the order of a pass; "" where nothing did.
    """

    rows: list
    diagnosis: list[tuple[Defect, ...]] = field(default_factory=list)
    conventions: tuple[Convention, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)
    by_stage: dict[str, list[Defect]] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def stage(self):
        """The first stage that failed."""
        failed = [row["stage"] for row in self.rows if row["outcome"] in FAILED]
        return min(failed, key=STAGE_ORDER.__getitem__, default="")

    @property
    def named(self):
        """Names of the defects, or "" where there is none, or where they cannot be told apart."""
        return " + ".join(defect.name for defect in self.diagnosis[0]) if len(self.diagnosis) == 1 else ""

    def picture(self, row):
        """What a row that differs looks like, in one line."""
        if beside(row["quantity"]):
            return row["note"]
        if row["outcome"] != "differs":
            return f"{row['outcome'].upper()}: {row['note']}"
        if row["stage"] == "training path" or self.evidence is None:
            if "found" not in row:  # nothing could be measured, and the note says why
                return row["note"]
            return f"found {row['found']:.6g}, wanted {row['wanted']:.6g}, {row['note']}"
        case, found, wanted = self.sides(row)
        if found is None or np.shape(found) != wanted.value.shape:
            return row["note"]
        upstream = None
        if row["quantity"] == "d_conv":
            own = self.evidence.observed[row["probe"], row["dtype"]].get(("run", "d_pool"))
            upstream = case.inputs["up_pool"] if row["mode"] == "alone" else own
        line = picture(row["quantity"], found, wanted.value, wanted.allowance, upstream)
        return f"{line}; {row['note']}" if row["note"] else line

    def sides(self, row):
        """(probe, found array or None, wanted `Bounded`) of a row of a probe, by the conventions that were found."""
        assert self.evidence is not None
        key, name = (row["probe"], row["dtype"]), (row["mode"], row["quantity"])
        case, observed = self.evidence.cases[key], self.evidence.observed[key]
        wanted = Expected(case, judge.right_stages(case, row["dtype"]), observed, self.evidence.manner)
        if self.conventions:
            wanted = self.evidence.expected([each.change for each in self.conventions], *key)
        return case, observed.get(name), wanted.of(*name)


def judge_subject(result, cases, path, dtypes=probes.DTYPES, search=True):
    """Judge what one cell observed.

    Args:
        result: a `cells.Result` of `checking.cell`; one that crashed or hung has what came before that.
        cases, path: the probes that it was given.
        dtypes: that it was given.
        search: whether to look for a defect that explains what differs.
    Returns:
        `Judgement`.
    """
    found, noted = unpack_answer(result.arrays, result.meta)
    return judge_answer(result, found, noted, cases, path, dtypes, search)


def judge_answer(result, found, noted, cases, path, dtypes=probes.DTYPES, search=True):
    """As `judge_subject`, of what `observe` found and noted."""
    meta = {"outcomes": {}, "conventions": [], "dtypes": [], "applied_rate": None, **noted}
    manner = Manner(meta["applied_rate"], 1 if meta.get("one_image") else None, bool(meta.get("of_probabilities")))
    offered = [dtype for dtype in dtypes if dtype in (meta["dtypes"] or dtypes)]
    rows: list[dict] = []
    seen, raised = by_case(found), by_case(meta["raised"])
    observed: dict = {}
    rounded: dict = {}
    for dtype in offered:
        for probe in cases:
            key = (probe.name, dtype)
            rounded[key], observed[key] = probe.rounded(dtype), seen[key]
            rows += judge.judge_probe("", rounded[key], dtype, seen[key], raised[key], manner)
        observed[path.name, dtype] = seen[PATH, dtype]
        rows += judge_path("", path, dtype, seen[PATH, dtype], raised[PATH, dtype].get((PATH,)))
    if result.status in ("hung", "crashed"):
        cut_short(rows, result)
    gone(rows, meta["outcomes"])
    troubled(rows, meta.get("troubles", []), offered)
    limits = limits_of(rows, meta["refused"])
    evidence = Evidence(rows, rounded, path, observed, manner)
    # names come from the process of the code, which may make up others: these say nothing
    declared = [DECLARED[name] for name in meta["conventions"] if name in DECLARED]
    judgement, unexplained = Judgement(rows, limits=limits, evidence=evidence), [dict(row) for row in rows]
    if any(row["outcome"] == "differs" for row in rows):
        _explain(judgement, evidence, declared, search)
    if not judgement.diagnosis and larger_odd_maps(unexplained, limits, rounded, observed):
        rows = unexplained
        judgement = Judgement(rows, limits=limits, evidence=Evidence(rows, rounded, path, observed, manner))
        if any(row["outcome"] == "differs" for row in rows):
            _explain(judgement, judgement.evidence, declared, search)
    for quantity, (outcome, note) in meta.get("beside", {}).items() if offered else ():
        if not beside(quantity):
            continue
        row = {"implementation": "", "quantity": quantity, "dtype": offered[0], "probe": FIRST_PROBE, "mode": "alone"}
        measured = {"max_abs_error": 0.0, "allowance_used": 0.0, "passed": True, "outcome": outcome, "note": ""}
        measured = measured if outcome == "agrees" else judge.failure(outcome, note)
        rows.append({**row, "stage": BESIDE[beside(quantity)], **measured})
    settle_rows(rows, meta.get("varies", ()))
    return judgement


def _explain(judgement, evidence, declared, search):
    """Find the conventions that leave least unexplained, and a defect that explains what they leave.

    Args:
        declared: of each convention that the code was found to follow, the forms that it may have.
    """
    known = {convention for forms in declared for convention in forms}
    candidates = (*DEFECTS, OF_LOSS, *(() if known <= {AVERAGE_POOLING, NO_BIAS} else OF_ACTIVATED))

    # by the path alone no convention can be told; one that explains no more than it breaks is not worth a search
    def telling(rows):
        return [r for r in rows if r["stage"] != "training path" and r["outcome"] in ("agrees", "differs")]

    failed, unlike = telling(evidence.failed), evidence.unexplained([], telling(evidence.rows))
    # a step follows the gradients that the code itself gives, right or wrong: of those no convention says anything
    own = {id(row) for row in unlike if row["outcome"] == "agrees"}
    clear = [row for row in telling(evidence.rows) if id(row) not in own]
    wrong = len(unlike) - len(own)  # of another dtype alone is one that differs and is like what is right
    tried: list = []
    guards = epsilons(evidence)
    guards += decays(evidence, guards)
    # what is declared is tried with all of them first: a name may be wrong
    firsts = dict.fromkeys((*itertools.product(*declared), ()))
    sets = dict.fromkeys((*guards, *first, *conventions) for first in firsts for conventions in SETS)
    for number, conventions in enumerate(sets):
        base = [convention.change for convention in conventions]
        left = len(failed)
        if base and ({*known, *guards} & set(conventions) or len(evidence.unexplained(base, failed)) < wrong):
            left = len(evidence.unexplained(base, clear))
        if not number or left < min(entry[0] for entry in tried):
            tried.append((left, number, conventions, base))
    worth = sorted(tried)
    count, _, conventions, base = worth[0]
    if not count:  # by what is telling: there remains the path
        rest = [row for row in (evidence.rows if base else evidence.failed) if row["outcome"] in ("agrees", "differs")]
        count = len(evidence.unexplained(base, rest))
    found: list = []
    if count and search:
        for _, _, conventions_tried, base_tried in worth:
            if found := diagnose(evidence.on(base_tried), candidates, pairs=False):
                conventions, base = conventions_tried, base_tried
                break
        else:
            found = diagnose(evidence.on(base), candidates)
    if count and search and not found:
        judgement.by_stage = _stage_by_stage(evidence.on(base), candidates)
    judgement.diagnosis, judgement.conventions = found, conventions
    if base:
        unexplained = {id(row) for row in evidence.unexplained(base, evidence.rows)} - own
        for row in evidence.rows:
            if id(row) not in unexplained and row["outcome"] == "differs":
                row |= {"outcome": "agrees", "passed": True, "allowance_used": np.nan, "note": "by convention"}
            elif id(row) in unexplained and row["outcome"] == "agrees":
                row |= {"outcome": "differs", "passed": False, "note": f"by the convention: {conventions[-1].name}"}


def _stage_by_stage(evidence, candidates):
    """Of each stage that differs the defects that explain all its rows, each on what the code itself gave before it."""
    found = {}
    failed = [row for row in evidence.failed if row["outcome"] in ("agrees", "differs")]
    stages = sorted({row["stage"] for row in failed}, key=STAGE_ORDER.__getitem__)
    for stage in stages:
        if stage == stages[0] or stage not in LATE:  # what comes of everything before it says nothing of itself
            rows = [r for r in evidence.rows if r["stage"] == stage and r["outcome"] in ("agrees", "differs")]
            found[stage] = explaining(evidence, candidates, stage, rows)
            quantities = list(dict.fromkeys(row["quantity"] for row in failed if row["stage"] == stage))
            if found[stage] or len(quantities) == 1:
                continue
            # two mistakes in one stage: each by the quantity that it is seen in, beside what agrees
            apart = {}
            for name in quantities:
                own = [row for row in rows if row["quantity"] == name or row["outcome"] == "agrees"]
                apart[f"{stage}, {name}"] = explaining(evidence, candidates, stage, own)
            if any(apart.values()):
                del found[stage]
                found |= apart
    return found


def parameters_of(case):
    """Its parameters by name, for the files that show a failing case."""
    return {name: case.parameters[name] for name in PARAMETERS}
