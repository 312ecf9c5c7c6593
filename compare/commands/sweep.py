"""The command that trains many times: `sweep`."""

import json
import os
from pathlib import Path

import click

from compare import files, plain
from compare.commands.options import FILE, SCHEDULER, PathOption, say


@click.command()
@click.argument("settings_file", metavar="SWEEP.TOML", required=False, type=FILE)
@click.option("--out", default="sweep", show_default=True, type=PathOption(file_okay=False), help="Where the rows go.")
@click.option("--jobs", type=click.IntRange(1, 1000), help="Trainings at once; default: one for each processor.")
@click.option("--dry-run", is_flag=True, help="Say how many cells there are and about how long they take, and end.")
@click.option("--template", is_flag=True, help="Print a SWEEP.TOML, with comments, and end.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
@SCHEDULER
def sweep(settings_file, out, jobs, dry_run, template, progress, scheduler):
    """Train every combination of seeds, implementations, optimisers, rates, batch sizes and defects.

    Writes sweep.parquet, a row each, sweep.json and index.html. What was interrupted goes on where it stopped, by the
    same command. Exits with 3 where cells could not be trained for want of a framework or of machines, with 4 where
    one crashed, hung or raised in a right network.
    """
    from compare import output
    from compare.cells import placing
    from compare.sweeping import page, settings
    from compare.sweeping import sweep as sweeping

    if template:
        click.echo(settings.TEMPLATE, nl=False)
        return 0
    if settings_file is None:
        raise click.UsageError("missing SWEEP.TOML; --template prints one", click.get_current_context())
    wanted = settings.load(settings_file)
    jobs = jobs or os.cpu_count() or 1
    if dry_run:
        with placing.on(scheduler) as cluster:
            at_once = cluster.slots() if cluster else jobs
            found = sweeping.estimate(wanted)
        say(output.table(sweeping.estimate_table(found)))
        total = sum(starts * count + trainings for count, starts, trainings in found.values())
        say(f"\n{len(wanted):,} cells, about {sweeping.duration(total / at_once)} with {at_once:,} at once")
        return 0
    with placing.on(scheduler):
        frame, about = sweeping.sweep(wanted, out, jobs, progress)
    files.write_text(Path(out) / "sweep.json", json.dumps(about, indent=1) + "\n")
    files.write_text(Path(out) / "index.html", page.write(frame, about, wanted))
    say(f"data: {plain.line(about['data'])}\n")
    say(output.table(page.best(frame)))
    if about["damaged"]:
        say(f"\ndone again, since the file was damaged: {', '.join(about['damaged'])}")
    counts = ", ".join(f"{count:,} {status}" for status, count in frame["status"].value_counts().items())
    say(f"\n{len(frame):,} cells: {counts}\nwritten: {plain.line(Path(out) / 'index.html')}")
    return sweeping.exit_code(frame)
