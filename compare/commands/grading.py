"""The command that grades a class: `grade`."""

import click

from compare import contract, files, plain
from compare.checking.saying.result import REQUIRED
from compare.commands.options import FILE, SCHEDULER, SEED, PathOption, say


@click.command()
@click.argument("submissions", required=False, type=PathOption())
@click.option("--out", default="grades", show_default=True, type=PathOption(file_okay=False), help="Written there.")
@click.option("--rubric", type=FILE, help="TOML: points for each part, and what is allowed.")
@click.option("--rubric-template", is_flag=True, help="Print the rubric that is used without one, and end.")
@click.option("--expected", type=FILE, help="TOML: differences that cost no points, each with its reason.")
@click.option("--require", metavar="A,B", default="", help=f"Told where it is missing: {', '.join(REQUIRED)}, all.")
@click.option(
    "--feedback",
    type=click.Choice(["stage", "defect", "fix"]),
    default="defect",
    show_default=True,
    help="What is told beside the input that shows a fault.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="At once; default: one for each processor.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=15, show_default=True, help="Seconds.")
@click.option("--memory", type=click.FloatRange(min=0.1), default=2, show_default=True, help="GB of each process.")
@click.option("--user", help='Whose rights a submission has, where this is root; default: nobody; "" is this user.')
@click.option("--seed", type=SEED, help="Of the probes; default: a new one, so that nobody can know them.")
@click.option("--resume", is_flag=True, help="Keep what was graded before of the same content, options and version.")
@click.option("--single", is_flag=True, help="SUBMISSIONS is one submission itself.")
@click.option(
    "--part", metavar="NAME", help="End with 0 only if this part has all its points everywhere; for one step of CI."
)
@SCHEDULER
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def grade(submissions, out, rubric, rubric_template, expected, require, part, progress, **options):
    """Grade a folder of submissions: each .py, .ipynb, folder or zip file directly inside.

    Writes grades.csv, class.html, junit.xml, and in each/NAME results.json (Gradescope's), feedback.html and the case
    that shows a fault. The code of each runs confined, which is isolation, not a sandbox: docs/grading.md says what
    holds. Exits with 0 when all are graded, whatever their points, with 1 if a difference of --expected does not
    occur, with 3 if there is nothing to grade, with 70 if this tool failed on one or more.
    """
    from compare.grading import run
    from compare.grading.rubric import TEMPLATE, read

    if rubric_template:
        click.echo(TEMPLATE, nl=False)
        return 0
    if part is not None and part not in (known := read(rubric).points):
        raise click.UsageError(contract.unknown("part", part, known), click.get_current_context())
    if submissions is None:
        raise click.UsageError("missing SUBMISSIONS: a folder", click.get_current_context())
    found = run.grade(submissions, out, rubric, expected, require or (), show=progress, **options)
    for row in found.rows:
        told = "; ".join(row.defects or row.differing) or row.error
        say(
            f"{row.score:>6g} of {row.out_of:g}  {plain.line(row.name, 60)}: {row.status}{f' ({told})' if told else ''}"
        )
    for words in found.not_limited:
        say(f"not limited here: {words}", err=True)
    for each in found.absent:
        say(f"declared, and occurs nowhere: {each}", err=True)
    say(f"\nwritten: {plain.line(found.out / 'class.html')}")
    if part is not None and not found.exit_code:
        return int(run.lacks(found, part))
    return found.exit_code


@click.command()
@click.argument("kind", type=click.Choice(["gradescope", "classroom", "otter", "nbgrader"]))
@click.option(
    "--out", required=True, type=PathOption(), help="A .zip; a folder of tests (otter); an .ipynb (nbgrader)."
)
@click.option("--rubric", type=FILE, help="TOML: points for each part, and what is allowed.")
@click.option("--feedback", type=click.Choice(["stage", "defect", "fix"]), default="defect", show_default=True)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=15, show_default=True, help="Seconds.")
@click.option(
    "--things",
    default="Conv3x3,MaxPool2,Softmax",
    show_default=True,
    help="What is checked, by its names in the students' notebook.",
)
def pack(kind, out, rubric, feedback, timeout, things):
    """Write what a platform takes to grade with: Gradescope, GitHub Classroom, otter or nbgrader."""
    from compare.grading import packs

    files.check_writable(out if kind != "otter" else None)
    names = [name.strip() for name in things.split(",") if name.strip()]
    packs.pack(kind, out, rubric, feedback, timeout, names)
    say(f"written: {plain.line(out)}")
