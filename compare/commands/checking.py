"""The commands that hold code to the network: `check`, and what is known of it, `sharpness` and `defects`."""

from pathlib import Path

import click

import compare
from compare import files, plain
from compare.commands.options import FILE, RUNS, SCHEDULER, SEED, THREADS, PathOption, say


@click.command()
@click.argument("target", required=False)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True, help="Seconds.")
@click.option("--save", "folder", type=PathOption(file_okay=False), help="Write the smallest failing case there.")
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Of the code under test.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the probes.")
@click.option("--require", metavar="A,B", default="", help="Parts that must be judged: conv, pool, dense, ... or all.")
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
@click.option("--adapter", "adapter_file", type=FILE, help="Write a draft for what was not connected.")
@click.option("--template", is_flag=True, help="Print an adapter for an unusual class, with comments, and end.")
def check(target, timeout, folder, threads, seed, require, json_file, adapter_file, template):
    """Hold anyone's network to this one, and name the bug.

    TARGET is a file, FILE:Name, a folder (conv.py, maxpool.py, softmax.py) or a module ("package.module:Class"), taken
    as it is: layers in the tutorial's shape, single functions, whole models, a torch.nn.Module, a Keras model, an ONNX
    file. Layouts are found out by trying. The code runs in a process of its own, which is isolation, not a sandbox.
    """
    from compare.checking.saying.saving import save_case
    from compare.checking.saying.template import TEMPLATE

    if template:
        click.echo(TEMPLATE, nl=False)
        return 0
    if target is None:
        raise click.UsageError("missing TARGET: a file, a folder or a module", click.get_current_context())
    files.check_writable(json_file)
    if adapter_file and Path(adapter_file).exists():
        raise click.UsageError(f"--adapter: found a file {adapter_file}, wanted a new one", click.get_current_context())
    files.check_writable(adapter_file)
    result = compare.check(target, timeout=timeout, threads=threads, seed=seed, require=require or ())
    say(str(result))
    if json_file:
        files.write_text(json_file, result.json())
    if adapter_file:
        try:
            files.write_text(adapter_file, result.adapter())
            say(f"written: {plain.line(adapter_file)}; complete its lines, and check that file")
        except ValueError as error:
            click.echo(str(error), err=True)
    if folder:
        written = save_case(result, folder)
        say(f"written: {plain.line(written)}" if written else "nothing differs: no case to write")
    return result.exit_code


@click.command()
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all of parity.")
@click.option("--cases", type=click.IntRange(min=1), default=1000, show_default=True, help="Random cases for each.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the first case.")
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
@SCHEDULER
def sharpness(implementations, cases, seed, json_file, progress, scheduler):
    """How good the allowances are: whom they accuse falsely, and the smallest error that they catch.

    Each random case goes through every implementation in both dtypes, with one thread and with two. Exits with 1 if
    anything is accused. All of it takes minutes.
    """
    from compare import output
    from compare.cells import placing
    from compare.checking.judging.sharpness import sharpness as measure_sharpness

    files.check_writable(json_file)
    with placing.on(scheduler):
        frame = measure_sharpness(implementations, cases, seed, progress=progress)
    say(output.table(output.sharpness_table(frame)))
    for line in frame.attrs["accused"]:
        say(line)
    say("\n" + output.sharpness_summary(frame))
    output.write_json(json_file, "sharpness", frame)
    return 0 if frame.attrs["accused"] == [] else 1


@click.command()
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all of parity.")
@click.option("--only", metavar="TEXT,TEXT", help="Only defects whose name contains one of these.")
@click.option("--train/--no-train", default=True, show_default=True, help="Also train with each.")
@click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The first of the seeds.")
@click.option("--seeds", type=RUNS, default=4, show_default=True, help="How many, from --seed on.")
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
@SCHEDULER
def defects(implementations, only, train, data_source, seed, seeds, json_file, progress, scheduler):
    """Known defects, each put into each implementation, checked, and trained: accuracy is not evidence.

    Exits with 1 unless all are caught, at least 98% named right (a wrong name counts double), and no right network is
    accused. All of it takes minutes.
    """
    from compare import output
    from compare.cells import placing
    from compare.training import evidence

    files.check_writable(json_file)
    texts = None if only is None else only.split(",")
    with placing.on(scheduler):
        frame = compare.defects(implementations, data_source, seed, seeds, texts, train, progress=progress)
    settings = frame.attrs["settings"]
    if train:
        say(
            f"data: {plain.line(frame.attrs['data'])}; {settings['images']:,} images, {settings['epochs']} epochs, "
            f"batch {settings['batch_size']}, learning rate {settings['learning_rate']}, {seeds} seed(s)"
        )
    say(f"implementations: {', '.join(dict.fromkeys(frame['implementation']))}\n")
    say(output.table(output.defects_table(frame)))
    say("\n" + output.defects_score(frame.attrs["score"]))
    for line in output.remarks(frame):
        say(line)
    output.write_json(json_file, "defects", frame)
    return 0 if evidence.passed(frame.attrs["score"]) else 1
