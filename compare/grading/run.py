"""`compare.grade`: all submissions of a folder checked side by side, and what is written of them."""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from compare import files, plain, progress
from compare.cells import cells, guard, kept, limits, placing
from compare.checking.saying.result import required
from compare.contract import UndecidedError, unknown
from compare.grading import expected as declared
from compare.grading import isolation, marking, rubric, submissions, writing

TIMEOUT = 15.0  # seconds of all of a submission's own code
KEPT = ".graded"  # in the folder of the results: what is finished, for --resume
FEEDBACK = ("stage", "defect", "fix")
SLACK = 45.0  # seconds of the judge beside it, on a machine that is busy
AGAIN = 4.0  # times as many for what could not be connected in that time, once all others are done
RETRIES = 3.0  # times the seconds of the code that its process, started afresh after each hang, may take in all


@dataclass
class Grades:
    """All rows, and what came of it.

    out: the folder. not_limited: what could not be limited here, in words. absent: declared differences that occurred
    nowhere. seed: of the probes.
    """

    out: Path
    rows: list
    not_limited: list
    seed: int
    absent: list = field(default_factory=list)

    @property
    def exit_code(self):
        """0: all graded; 1: a declared difference does not occur; 70: an error of this tool's own, in any row."""
        if any(row.status == marking.TOOL_ERROR for row in self.rows):
            return 70
        return 1 if self.absent else 0


def grade(
    folder,
    out="grades",
    rubric_file=None,
    expected_file=None,
    require=(),
    feedback="defect",
    jobs=None,
    timeout=TIMEOUT,
    memory=2.0,
    user=None,
    seed=None,
    resume=False,
    single=False,
    scheduler=None,
    show=None,
):
    """Check every submission in a folder, give points, and write what `writing.FILES` names into `out`.

    Args:
        folder: what is directly in it is a submission each: .py and .ipynb files, folders, zip files.
        out: made where there is none.
        rubric_file: TOML, see `rubric.TEMPLATE`. expected_file: TOML, see `expected.read`.
        require: words of `check --require`, beside those of the rubric.
        feedback: of FEEDBACK: what is told beside the input that shows a fault.
        jobs: submissions at once; None is one for each processor.
        timeout: seconds for all of a submission's own code. memory: GB of each of its processes.
        user: whose rights the code has, where this is root; None is "nobody", "" is this one.
        seed: of the probes; None draws one, so that nobody can know them.
        resume: keep what was graded before of the same content, with the same options, by the same version.
        single: the folder, or file, is one submission itself.
        scheduler: address of a scheduler of Dask that places the submissions, see `placing.on`; None: this machine.
        show: a progress bar; None is where stderr is a terminal.
    Returns:
        `Grades`.
    Raises:
        ValueError: bad input; the message names it.
        FileNotFoundError: there is no such folder.
        OSError: something cannot be read or written.
        UndecidedError: nothing is there, or the scheduler is not.
    """
    folder, out = Path(folder), Path(out)
    if feedback not in FEEDBACK:
        raise ValueError(unknown("feedback", feedback, FEEDBACK))
    if not timeout > 0:
        raise ValueError(f"timeout: found {timeout!r}, wanted seconds above 0")
    if not memory > 0:
        raise ValueError(f"memory: found {memory!r}, wanted GB above 0")
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    limits.check_whole("jobs", jobs)
    rules = rubric.read(rubric_file)
    differences = [] if expected_file is None else declared.read(expected_file)
    wanted = list(dict.fromkeys([*rules.require, *required(require)]))
    if not folder.exists():
        raise FileNotFoundError(f"no folder {plain.line(str(folder))}")
    if not single and not folder.is_dir():
        raise ValueError(
            f"{plain.line(str(folder))}: found a file, wanted a folder of submissions; one alone is --single"
        )
    if single:
        name = folder.resolve().name or "submission"
        found = [submissions.Submission(name, submissions.safe_name(name, set()), folder.absolute())]
    else:
        found = submissions.listed(folder, out)
    if not found:
        raise UndecidedError(f"{plain.line(str(folder))}: found no submission, wanted files, folders or zip files")
    _check_names(differences, found)
    hide = (folder.resolve(), out.resolve())
    planned = isolation.plan(user, int(memory * (1 << 30)), rules.frameworks, hide)
    planned, not_limited = isolation.tried(planned, user)
    with files.taken(out):
        seed = _seed(out / KEPT, seed, resume)
        options = {"timeout": timeout, "seed": seed, "require": wanted, "confine": planned}
        grades = Grades(out, [], not_limited, seed)
        with kept.keeping(out / KEPT), placing.on(scheduler):
            _graded(grades, found, options, jobs, rules, differences, feedback, show)
    return grades


def _check_names(differences, found):
    names = {each.name for each in found} | {declared.EVERY}
    for each in differences:
        if each.submission not in names:
            raise ValueError(f"expected: {plain.line(each.submission)!r}: found no such submission")


def _seed(folder, seed, resume):
    """The seed that was asked for, or that of what is to go on, or a new one; what was kept goes unless resumed."""
    place = folder / "seed"
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    if seed is None and resume and place.is_file():
        seed = int(place.read_text())
    seed = secrets.randbelow(limits.SEED) if seed is None else seed
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(place, f"{seed}\n")
    return seed


def _graded(grades, found, options, jobs, rules, differences, feedback, show):
    """Let the rows come in, write each submission's own files at once, and the class's at the end, whichever it is."""
    specs = [_spec(each, options) for each in found]
    by_safe = {each.safe: each for each in found}
    rows = {}

    def done(result):
        submission = by_safe[result.spec["implementation"]]
        row = marking.graded(submission, result, rules, differences)
        writing.write_one(grades.out, row, feedback)
        rows[submission.safe] = row
        bar.update()

    with progress.progress_bar(len(specs), "grading", show) as bar:
        try:
            _run(specs, jobs, done)
            late = [each for each in found if marking.out_of_time(rows[each.safe])]
            longer = {**options, "timeout": AGAIN * options["timeout"]}
            _run([_spec(each, longer) for each in late], jobs, done)
        finally:
            grades.rows = [rows[each.safe] for each in found if each.safe in rows]
            used = {difference for row in grades.rows for difference in row.used}
            grades.absent = [each for each in differences if each not in used] if len(rows) == len(found) else []
            writing.write_class(grades, rules, feedback, len(found))


def _run(specs, jobs, done):
    """Run the cells, wherever they are placed; a folder that is too large to travel is refused by one that stays."""
    for anywhere in (True, False):
        some = [spec for spec in specs if submissions.is_small(Path(spec["path"])) == anywhere]
        cells.run(some, jobs, done, module="compare.grading.cell", anywhere=anywhere)


def _spec(submission, options):
    limit = RETRIES * options["timeout"] + SLACK
    content = submissions.digest(submission.path)
    about = {"task": "grade", "implementation": submission.safe, "threads": 1, "limit": limit, "content": content}
    # what a submission starts is counted by its own watcher, not by that of its judge
    return {**about, "path": str(submission.path), "environment": {guard.PROCESS_LIMIT: "100000"}, **options}


def lacks(grades, part):
    """Whether a part has not all of its points in every submission."""
    return any(each.points < each.out_of for row in grades.rows for each in row.parts if each.name == part)
