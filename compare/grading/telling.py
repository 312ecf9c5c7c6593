"""What a student is told, in lines: of the whole, by the level of feedback, and of each part what shows its fault."""

from compare import plain

GOOD = ("agrees", "expected")


def summary(row, feedback):
    """Lines on the whole of a submission, of what the level of feedback lets be told."""
    found = [f"{row.score:g} of {row.out_of:g} points: {plain.line(row.status)}"]
    found += [plain.line(row.error)] if row.error else []
    found += diagnosis(row.verdict, feedback)
    found += [f"declared: {plain.line(each.reason)}" for each in row.used]
    found += [f"could not be connected: {name}: {why}" for name, why in row.verdict.get("unconnected", [])]
    missing = row.verdict.get("missing", [])
    return [*found, *([f"required, and not there or not judged: {', '.join(missing)}"] if missing else [])]


def diagnosis(verdict, feedback):
    """Lines that name the mistakes; with the advice at "fix", none at "stage"."""
    if feedback == "stage":
        return []

    def said(defect):
        return f"{defect['name']}; {defect['advice']}" if feedback == "fix" else defect["name"]

    named = verdict.get("named", [])
    if len(named) == 1:
        return [f"diagnosis: {said(each)}" for each in named[0]]
    if named:
        names = "; or ".join(" and ".join(each["name"] for each in one) for one in named)
        return [f"diagnosis: one of these, which cannot be told apart: {names}"]
    found = []
    for stage, defects in verdict.get("by_stage", {}).items():
        names = "; or ".join(map(said, defects)) or "no known mistake explains it"
        found.append(f"diagnosis: {stage}: {names}")
    return found


def part_lines(row, part):
    """Lines on one part: its state, and what shows it."""
    good = sum(state in GOOD for _, _, state in part.quantities)
    of = f"; {good} of {len(part.quantities)} quantities agree" if part.state in ("partly", "differs") else ""
    found = [f"{part.state}{of}"]
    for each in part.shown:
        found.append(f"{each['quantity']}: {each['picture']}")
        found.append(f"    with this input: {each['shown_by']}")
    if any(state == "not reached" for _, _, state in part.quantities):
        found.append("not reached, since something before it fails: what is missing here")
    return [plain.line(line) if not line.startswith(" ") else f"    {plain.line(line)}" for line in found]
