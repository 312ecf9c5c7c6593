"""Options in, calls out, nothing else: `python -m compare COMMAND`, installed as `cnn-compare`.

The exit codes are in EXIT_CODES.
"""

import contextlib
import functools
import io
import os
import signal
import sys
import tempfile
import traceback
import warnings

import click

import compare
from compare import contract, failure, files, guard, limits, plain, plain_files

EXIT_CODES = """Exit codes: 0 agrees, 1 differs, 2 usage or bad input, 3 cannot be decided (a framework asked for by
name is missing, a training diverged, nothing was there to judge), 4 the code under test crashed or hung, 70 an error of
this tool's own, which is no verdict."""
SEED = click.IntRange(0, limits.SEED)
THREADS = click.IntRange(1, limits.THREADS)
FOLDER = "cnn-compare-run-"  # temporary, of one command
RUNS = click.IntRange(1, limits.RUNS)


def _say(text, err=False):
    """Print it; what would steer the terminal, or what no output takes, as an escape."""
    click.echo(plain.visible(str(text)), err=err)


class _Path(click.Path):
    """A path that is not empty: as a path, nothing would be the folder that one stands in."""

    def convert(self, value, param, ctx):
        if value == "":
            self.fail("found '', wanted a path", param, ctx)
        return super().convert(value, param, ctx)


class _Group(click.Group):
    """Commands in the order in which they are written; an unknown one brings the nearest known name."""

    def list_commands(self, ctx):
        return list(self.commands)

    def resolve_command(self, ctx, args):
        if args and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(contract.unknown("command", args[0], self.commands), ctx)
        return super().resolve_command(ctx, args)


def _options(*more):
    """The options that every comparison takes, then `more`."""
    common = [
        click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all that are available."),
        click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Of weights and order."),
        click.option("--threads", type=THREADS, default=1, show_default=True, help="Of each."),
        click.option("--json", "json_file", metavar="FILE", type=_Path(dir_okay=False), help="Write all rows there."),
        click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal."),
    ]

    def decorate(function):
        return functools.reduce(lambda f, option: option(f), reversed([*more, *common]), function)

    return decorate


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="numpy-cnn-parity", message="%(version)s")
def cli():
    """Is this network the same network? Parity, accuracy and speed of one CNN in several frameworks."""


@cli.command("list")
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all.")
@click.option("--json", "json_file", metavar="FILE", type=_Path(dir_okay=False), help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def list_command(implementations, json_file, progress):
    """Implementations: version of the framework, or why it is not available and what installs it."""
    from compare import output

    files.check_writable(json_file)
    frame = compare.implementations(implementations, progress=progress)
    _say(output.table(frame))
    output.write_json(json_file, "list", frame)


@cli.command()
@_options(
    click.option("--dtype", type=click.Choice(["float32", "float64"]), multiple=True, help="Default: both."),
    click.option("--path/--no-path", default=True, show_default=True, help="Follow 100 training steps as well."),
    click.option("--rows", is_flag=True, help="Print every row instead of the worst of each quantity."),
)
def parity(implementations, data_source, seed, threads, json_file, progress, dtype, path, rows):
    """Copy one set of weights into all, and judge every activation, gradient, update and step.

    Prints, by quantity and dtype, how much of what rounding allows was used at worst; above 100% it differs.
    """
    from compare import output

    files.check_writable(json_file)
    dtypes = list(dtype) or ["float32", "float64"]
    frame = compare.parity(implementations, data_source, seed, threads, dtypes, path, progress=progress)
    _say(f"data: {plain.line(frame.attrs['data'])}\n")
    _say(output.table(frame if rows else output.parity_summary(frame)))
    _say("\n" + "\n".join(output.verdict(frame)))
    output.write_json(json_file, "parity", frame)
    return output.exit_code(frame)


@cli.command()
@_options(
    click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True),
    click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True),
    click.option("--learning-rate", type=float, default=0.1, show_default=True),
    click.option("--seeds", type=RUNS, default=1, show_default=True, help="How many, from --seed on."),
    click.option("--start", type=click.Choice(["same", "own"]), multiple=True, help="Start weights; default: both."),
)
def accuracy(
    implementations, data_source, seed, threads, json_file, progress, epochs, batch_size, learning_rate, seeds, start
):
    """Train all on the same batches: from the same start weights, and from each framework's own."""
    from compare import output

    files.check_writable(json_file)
    starts = tuple(start) or ("same", "own")
    frame = compare.accuracy(
        implementations, data_source, seed, seeds, epochs, batch_size, learning_rate, starts, threads, progress
    )
    _say(f"data: {plain.line(frame.attrs['data'])}\n")
    _say(output.table(output.accuracy_table(frame)))
    _say("\n".join(output.remarks(frame)))
    output.write_json(json_file, "accuracy", frame)
    return output.exit_code(frame)


@cli.command()
@_options(
    click.option("--batch-size", type=click.IntRange(min=1), multiple=True, help="Default: 1, 32 and 256."),
    click.option("--rounds", type=RUNS, default=3, show_default=True, help="Processes for each."),
    click.option("--samples", type=RUNS, default=5, show_default=True, help="Timings in each process."),
)
def speed(implementations, data_source, seed, threads, json_file, progress, batch_size, rounds, samples):
    """Time training steps and predictions of all that pass parity, side by side."""
    from compare import output, targets

    files.check_writable(json_file)
    sizes = list(batch_size) or [1, 32, 256]
    frame = compare.speed(implementations, data_source, seed, sizes, threads, rounds, samples, progress=progress)
    _say(f"data: {plain.line(frame.attrs['data'])}; float32, {threads} thread(s) each, in turns\n")
    _say(output.table(output.speed_table(frame)))
    for line in ["", *output.target_lines(targets.targets(frame)), *output.remarks(frame)]:
        _say(line)
    output.write_json(json_file, "speed", frame)
    return output.exit_code(frame)


@cli.command()
@click.argument("target", required=False)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True, help="Seconds.")
@click.option("--save", "folder", type=_Path(file_okay=False), help="Write the smallest failing case there.")
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Of the code under test.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the probes.")
@click.option("--require", metavar="A,B", default="", help="Parts that must be judged: conv, pool, dense, ... or all.")
@click.option("--json", "json_file", metavar="FILE", type=_Path(dir_okay=False), help="Write all rows there.")
@click.option("--adapter", "adapter_file", type=_Path(dir_okay=False), help="Write a draft for what was not connected.")
@click.option("--template", is_flag=True, help="Print an adapter for an unusual class, with comments, and end.")
def check(target, timeout, folder, threads, seed, require, json_file, adapter_file, template):
    """Hold anyone's network to this one, and name the bug.

    TARGET is a file, FILE:Name, a folder (conv.py, maxpool.py, softmax.py) or a module ("package.module:Class"), taken
    as it is: layers in the tutorial's shape, single functions, whole models, a torch.nn.Module, a Keras model, an ONNX
    file. Layouts are found out by trying. The code runs in a process of its own, which is isolation, not a sandbox.
    """
    from compare.checking.saving import save_case
    from compare.checking.template import TEMPLATE

    if template:
        click.echo(TEMPLATE, nl=False)
        return 0
    if target is None:
        raise click.UsageError("missing TARGET: a file, a folder or a module", click.get_current_context())
    files.check_writable(json_file)
    files.check_writable(adapter_file)
    result = compare.check(target, timeout=timeout, threads=threads, seed=seed, require=require or ())
    _say(str(result))
    if json_file:
        files.write_text(json_file, result.json())
    if adapter_file:
        try:
            files.write_text(adapter_file, result.adapter())
            _say(f"written: {plain.line(adapter_file)}; complete its lines, and check that file")
        except ValueError as error:
            click.echo(str(error), err=True)
    if folder:
        written = save_case(result, folder)
        _say(f"written: {plain.line(written)}" if written else "nothing differs: no case to write")
    return result.exit_code


@cli.command()
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all of parity.")
@click.option("--cases", type=click.IntRange(min=1), default=1000, show_default=True, help="Random cases for each.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the first case.")
@click.option("--json", "json_file", metavar="FILE", type=_Path(dir_okay=False), help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def sharpness(implementations, cases, seed, json_file, progress):
    """How good the allowances are: whom they accuse falsely, and the smallest error that they catch.

    Each random case goes through every implementation in both dtypes, with one thread and with two. Exits with 1 if
    anything is accused. All of it takes minutes.
    """
    from compare import output
    from compare.checking.sharpness import sharpness as measure_sharpness

    files.check_writable(json_file)
    frame = measure_sharpness(implementations, cases, seed, progress=progress)
    _say(output.table(output.sharpness_table(frame)))
    for line in frame.attrs["accused"]:
        _say(line)
    _say("\n" + output.sharpness_summary(frame))
    output.write_json(json_file, "sharpness", frame)
    return 0 if frame.attrs["accused"] == [] else 1


@cli.command()
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all of parity.")
@click.option("--only", metavar="TEXT,TEXT", help="Only defects whose name contains one of these.")
@click.option("--train/--no-train", default=True, show_default=True, help="Also train with each.")
@click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The first of the seeds.")
@click.option("--seeds", type=RUNS, default=4, show_default=True, help="How many, from --seed on.")
@click.option("--json", "json_file", metavar="FILE", type=_Path(dir_okay=False), help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def defects(implementations, only, train, data_source, seed, seeds, json_file, progress):
    """Known defects, each put into each implementation, checked, and trained: accuracy is not evidence.

    Exits with 1 unless all are caught, at least 95% named right (a wrong name counts double), and no right network is
    accused. All of it takes minutes.
    """
    from compare import evidence, output

    files.check_writable(json_file)
    frame = compare.defects(
        implementations, data_source, seed, seeds, None if only is None else only.split(","), train, progress=progress
    )
    settings = frame.attrs["settings"]
    if train:
        _say(
            f"data: {plain.line(frame.attrs['data'])}; {settings['images']:,} images, {settings['epochs']} epochs, "
            f"batch {settings['batch_size']}, learning rate {settings['learning_rate']}, {seeds} seed(s)"
        )
    _say(f"implementations: {', '.join(dict.fromkeys(frame['implementation']))}\n")
    _say(output.table(output.defects_table(frame)))
    _say("\n" + output.defects_score(frame.attrs["score"]))
    for line in output.remarks(frame):
        _say(line)
    output.write_json(json_file, "defects", frame)
    return 0 if evidence.passed(frame.attrs["score"]) else 1


@cli.command()
@_options(
    click.option("--output", "folder", default="report", show_default=True, type=_Path(file_okay=False)),
    click.option("--quick", "size", flag_value="quick", help="One epoch, one round of timing."),
    click.option("--full", "size", flag_value="full", help="Five seeds, five rounds of timing."),
)
def report(implementations, data_source, seed, threads, json_file, progress, folder, size):
    """All of it into one folder: index.html, report.md, a CSV per table, results.json."""
    files.check_writable(json_file)
    result = compare.report(folder, implementations, data_source, seed, threads, size or "normal", progress)
    _say("\n".join(result.verdict))
    _say(f"\nwritten: {plain.line(result.folder / 'index.html')}")
    if json_file:
        files.write_text(json_file, (result.folder / "results.json").read_text())
    return result.exit_code


@cli.command()
@click.argument("source", type=_Path(dir_okay=False))
@click.argument("target", type=_Path(dir_okay=False))
@click.option("--input-shape", default="28,28,1", show_default=True, metavar="H,W,C", help="Of one image.")
@click.option("--filters", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--classes", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--padding", type=click.Choice(["valid", "same"]), default="valid", show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
def convert(source, target, input_shape, filters, classes, padding, dtype):
    """Copy weights from one file to another, exact to the bit.

    SOURCE and TARGET end in .npz, .safetensors, .pt (PyTorch) or .weights.h5 (Keras). The options describe the network
    where the source does not: only .npz and .safetensors files that this project wrote do.
    """
    files.check_writable(target)
    try:
        height, width, channels = map(int, input_shape.split(","))
    except ValueError as error:
        wanted = f"found {input_shape!r}, wanted three whole numbers H,W,C"
        raise click.BadParameter(wanted, param_hint="--input-shape") from error
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", UserWarning)
        written = compare.convert(source, target, (height, width, channels), filters, classes, padding, dtype)
    for remark in noticed:
        _say(f"remark: {plain.line(remark.message)}", err=True)
    _say(f"{plain.line(target)}: " + ", ".join(f"{name} {value}" for name, value in written.items()))


@cli.group("data", cls=_Group)
def data_group():
    """Images: what there is, and where to get the rest."""


@data_group.command()
@click.option("--folder", type=_Path(file_okay=False), help="Default: the cache.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def fetch(folder, progress):
    """Download all 70,000 MNIST digits (11 MB), checked by SHA-256. The only command that uses the network."""
    from compare import data

    _say(f"MNIST is in {plain.line(data.fetch(folder, progress=progress))}")


@data_group.command()
@click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files.")
def show(data_source):
    """What a source holds; without --data, what commands use by default here."""
    from compare import data

    dataset = data.load(data_source)
    _say(f"{plain.line(dataset.description)}\nSHA-256 {dataset.sha256}")


@contextlib.contextmanager
def _own_folder():
    """Let all temporary files of this command, and of what it starts, lie in one folder, which goes with it.

    What commands left that were killed is swept: their folders, and on Linux their processes.
    """
    folder = None
    with contextlib.ExitStack() as held:
        with guard.undisturbed(), contextlib.suppress(OSError):  # no folder takes a file: told by what needs one
            place = tempfile.gettempdir()
            for left in plain_files.abandoned(place, FOLDER):
                guard.end_marked(left)
            folder = str(held.enter_context(plain_files.scratch(place, FOLDER)))
            before = {name: os.environ.get(name) for name in ("TMPDIR", guard.MARK)}
            os.environ.update({"TMPDIR": folder, guard.MARK: folder})
            tempfile.tempdir = folder
        try:
            yield
        finally:
            with guard.undisturbed():
                if folder is not None:
                    tempfile.tempdir = None
                    guard.end_marked(folder)
                    for name, value in before.items():
                        os.environ.pop(name) if value is None else os.environ.update({name: value})
                held.close()


def main(arguments=None):
    """Run the command line and end the process with its exit code."""
    try:
        for name, number in (("SIGTERM", 143), ("SIGHUP", 129)):
            if hasattr(signal, name):  # so that cells are ended on the way out
                signal.signal(getattr(signal, name), lambda *_, number=number: sys.exit(number))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _own_folder():
            code = cli.main(arguments, prog_name="python -m compare", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        _say(text.getvalue().rstrip("\n"), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted", err=True)
        code = 130
    except Exception as error:  # what nobody foresaw is no verdict either, and must not end with a verdict's exit code
        code, line = failure.explain(error)
        _say(line, err=True)
        if os.environ.get(failure.TRACEBACK):
            traceback.print_exception(error)
    sys.exit(code if isinstance(code, int) else 0)
