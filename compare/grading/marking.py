"""Points: of each part of the rubric for one submission, by what the check says of it."""

from dataclasses import dataclass, field

from compare.checking.calling.trying import NO_TIME
from compare.grading.expected import defects_of

FAILED = ("differs", "raised", "hung", "crashed")
OURS = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax")
TOOL_ERROR = "tool error"


@dataclass
class Part:
    """What is given for one part.

    state: "agrees", "expected" (it differs as it was declared), "partly", one of FAILED, "not reached", "not offered"
        or "not counted". quantities: [mode, quantity, state] of all that was judged. shown: of what fails, for people.
    """

    name: str
    points: float
    out_of: float
    state: str
    quantities: list = field(default_factory=list)
    shown: list = field(default_factory=list)


@dataclass
class Row:
    """One submission, graded. seconds: that its check took. used: `Difference`s that occurred in it."""

    name: str
    safe: str
    status: str
    exit_code: int
    error: str
    seconds: float
    parts: list
    verdict: dict
    used: list = field(default_factory=list)
    case: dict = field(default_factory=dict)  # files that show what differs, as bytes by name

    @property
    def score(self):
        """Points, to a hundredth."""
        return round(sum(part.points for part in self.parts), 2)

    @property
    def out_of(self):
        """Points that there are."""
        return round(sum(part.out_of for part in self.parts), 2)

    @property
    def differing(self):
        """Names of the parts of which something fails, those without points too, in the order of a pass."""
        return list(
            dict.fromkeys(each["stage"] for each in self.verdict.get("quantities", []) if each["outcome"] in FAILED)
        )

    @property
    def defects(self):
        """Names of the mistakes, where there is no doubt."""
        return list(dict.fromkeys(defects_of(self.verdict)))

    @property
    def not_offered(self):
        """Names of the parts with points that are not there."""
        return [part.name for part in self.parts if part.state == "not offered"]


def not_allowed(verdict, rubric):
    """Why nothing counts, whatever agrees: "" where all is allowed."""
    imports = set(verdict.get("imports", []))
    own = sorted({*verdict.get("ours", [])} | (imports & set(OURS)))
    if own:
        return f"uses {', '.join(own)}"
    frameworks = sorted(({*verdict.get("frameworks", [])} | (imports & set(FRAMEWORKS))) - set(rubric.frameworks))
    # Keras brings one of the others with it
    if frameworks and not ("keras" in rubric.frameworks and not imports & set(frameworks)):
        return f"uses {', '.join(frameworks)}"
    if verdict.get("copied") and not rubric.copies:
        return f"copies {', '.join(verdict['copied'])}"
    return ""


def graded(submission, result, rubric, expected=()):
    """The `Row` of a submission.

    Args:
        result: the `cells.Result` of its check.
    """
    if result.status != "ok":
        said = result.error or result.status
        parts = [Part(name, 0, out_of, "not counted") for name, out_of in rubric.points.items()]
        verdict = {"exit_code": 70}
        return Row(submission.name, submission.safe, TOOL_ERROR, 70, said, 0.0, parts, verdict)
    verdict = result.meta["verdict"]
    used: list = [each for each in expected if each.names_convention(submission.name, verdict)]
    found = []
    for each in verdict.get("quantities", []):
        fitting = [one for one in expected if each["outcome"] == "differs" and one.fits(submission.name, verdict, each)]
        used += fitting[:1]
        found.append({**each, "outcome": "expected"} if fitting else each)
    reason = not_allowed(verdict, rubric)
    judged = "quantities" in verdict and not reason
    parts = [Part(name, 0, out_of, "not counted") for name, out_of in rubric.points.items()]
    if judged:
        parts = [part(name, out_of, found, rubric.part_points) for name, out_of in rubric.points.items()]
    status = reason or _status(verdict, found)
    seconds = verdict.get("seconds", 0.0)
    error = "" if reason else verdict["error"]
    row = Row(submission.name, submission.safe, status, verdict["exit_code"], error, seconds, parts, verdict)
    row.used = list(dict.fromkeys(used))
    row.case = {name: array.tobytes() for name, array in result.arrays.items()}
    return row


def out_of_time(row):
    """Whether something of it was not connected for want of time alone, as on a busy machine."""
    return any(NO_TIME in why for _, why in row.verdict.get("unconnected", []))


def _status(verdict, found):
    if verdict["status"] == "differs" and not any(each["outcome"] in FAILED for each in found):
        return "agrees as expected" if not verdict["unconnected"] and not verdict["missing"] else "incomplete"
    return verdict["status"]


def outcomes(result):
    """[{mode, quantity, stage, outcome}] of all quantities of a `CheckResult`."""
    stages = {(row["mode"], row["quantity"]): row["stage"] for row in result.judgement.rows}
    return [
        {"mode": mode, "quantity": quantity, "stage": stages[mode, quantity], "outcome": outcome}
        for (mode, quantity), outcome in result.quantities.items()
    ]


def worth(result, mode, quantity, points):
    """(points, out of) that one quantity of a `CheckResult` has a share in, where `points` are those of the parts."""
    got, most = 0.0, 0.0
    for name, out_of in points.items():
        found = part(name, out_of, outcomes(result))
        for each_mode, each_quantity, state in found.quantities:
            if (each_mode, each_quantity) == (mode, quantity):
                most += out_of / len(found.quantities)
                got += out_of / len(found.quantities) if state == "agrees" else 0
    return round(got, 4), round(most, 4)


def part(name, out_of, judged, part_points=True):
    """The `Part` of a stage, from the outcomes of all quantities: dicts of mode, quantity, stage and outcome."""
    own = [each for each in judged if each["stage"] == name and each["outcome"] != "not offered"]
    if not own and name == "dense forward":  # a layer in one with the softmax is seen in the probabilities
        own = [each for each in judged if (each["mode"], each["quantity"]) == ("head", "probabilities")]
        own = [each for each in own if each["outcome"] != "not offered"]
    quantities = [[each["mode"], each["quantity"], each["outcome"]] for each in own]
    shown = [{key: each.get(key, "") for key in ("quantity", "picture", "shown_by")} for each in _telling(own)]
    good = sum(each["outcome"] in ("agrees", "expected") for each in own)
    if not own:
        return Part(name, 0, out_of, "not offered")
    if good == len(own):
        state = "expected" if any(each["outcome"] == "expected" for each in own) else "agrees"
        return Part(name, out_of, out_of, state, quantities, shown)
    points = round(out_of * good / len(own), 4) if part_points else 0
    worst = next(state for state in ("crashed", "hung", "raised", "differs", "not reached") if _has(own, state))
    state = "partly" if good and worst in ("differs", "not reached") else worst
    return Part(name, points, out_of, state, quantities, shown)


def _has(own, state):
    return any(each["outcome"] == state for each in own)


def _telling(own):
    """Of what fails one for each quantity: of a stage alone rather than of a whole pass."""
    found: dict = {}
    for each in own:
        if each["outcome"] in (*FAILED, "expected") and "picture" in each:
            found.setdefault(each["quantity"], each)
    return found.values()


def matrix(row):
    """{quantity: worst outcome over the modes} of a row, for a table of a class."""
    worst = ("crashed", "hung", "raised", "differs", "not reached", "agrees", "not offered")
    found: dict[str, str] = {}
    for each in row.verdict.get("quantities", []):
        before = found.get(each["quantity"], "not offered")
        found[each["quantity"]] = min(before, each["outcome"], key=worst.index)
    return found
