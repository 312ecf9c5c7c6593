"""The commands that compare what is installed, and those about files: `convert` and `data`."""

import warnings

import click
from click.core import ParameterSource

import compare
from compare import files, plain
from compare.commands.options import FILE, RUNS, SCHEDULER, Commands, PathOption, comparing, say


@click.command("list")
@click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all.")
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def list_command(implementations, json_file, progress):
    """Implementations: version of the framework, or why it is not available and what installs it."""
    from compare import output

    files.check_writable(json_file)
    frame = compare.implementations(implementations, progress=progress)
    say(output.table(frame))
    output.write_json(json_file, "list", frame)


@click.command()
@comparing(
    click.option(
        "--dtypes",
        "--dtype",
        metavar="A,B",
        multiple=True,
        help="Of float32, float64, float16, bfloat16; default: the first two.",
    ),
    click.option("--path/--no-path", default=True, show_default=True, help="Follow 100 training steps as well."),
    click.option(
        "--optimisers", is_flag=True, help="These alone: momentum, Nesterov, Adam, AdamW along given gradients."
    ),
    click.option("--rows", is_flag=True, help="Print every row instead of the worst of each quantity."),
    SCHEDULER,
)
def parity(implementations, data_source, seed, threads, json_file, progress, dtypes, path, optimisers, rows, scheduler):
    """Copy one set of weights into all, and judge every activation, gradient, update and step.

    Prints, by quantity and dtype, how much of what rounding allows was used at worst; above 100% it differs. Half
    precision is judged without the training steps: docs/precision.md says why.
    """
    from compare import output
    from compare.cells import placing
    from compare.verdict import precision

    files.check_writable(json_file)
    asked = ",".join(dtypes) if dtypes else precision.DTYPES
    with placing.on(scheduler):
        frame = compare.parity(
            implementations, data_source, seed, threads, asked, path, optimisers=optimisers, progress=progress
        )
    say(f"data: {plain.line(frame.attrs['data'])}\n")
    summary = output.optimisers_table if optimisers else output.parity_summary
    say(output.table(frame if rows else summary(frame)))
    say("\n" + "\n".join(output.verdict(frame)))
    output.write_json(json_file, "parity", frame)
    return output.exit_code(frame)


@click.command()
@comparing(
    click.option(
        "--preset", type=click.Choice(["article"]), help="Settings of the well-known tutorial; others go before."
    ),
    click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True),
    click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True),
    click.option("--learning-rate", type=float, default=0.1, show_default=True),
    click.option("--seeds", type=RUNS, default=5, show_default=True, help="How many, from --seed on."),
    click.option("--start", type=click.Choice(["same", "own"]), multiple=True, help="Start weights; default: both."),
    SCHEDULER,
)
@click.pass_context
def accuracy(context, implementations, threads, json_file, progress, preset, start, scheduler, **settings):
    """Train all on the same batches: from the same start weights, and from each framework's own.

    --preset article: all 60,000 MNIST digits, 3 epochs, batch 1, learning rate 0.005.
    """
    from compare import output
    from compare.cells import placing
    from compare.training import accuracy as training
    from compare.training import starts

    files.check_writable(json_file)
    for name, value in training.PRESETS.get(preset, {}).items():
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            settings[name] = value
    kinds = tuple(start) or training.STARTS
    with placing.on(scheduler):
        frame = compare.accuracy(implementations, starts=kinds, threads=threads, progress=progress, **settings)
    say(f"data: {plain.line(frame.attrs['data'])}\n")
    say(output.table(starts.accuracy_table(frame)))
    if len(drifts := starts.drift_table(frame)):
        say(f"\n{output.table(drifts)}")
    say("\n".join(output.remarks(frame)))
    if scheduler:
        say("training seconds are those of the machines that each was placed on, and do not compare")
    output.write_json(json_file, "accuracy", frame)
    return output.exit_code(frame)


@click.command()
@comparing(
    click.option("--output", "folder", default="report", show_default=True, type=PathOption(file_okay=False)),
    click.option("--quick", "size", flag_value="quick", help="One epoch, two starts, one round of timing."),
    click.option("--full", "size", flag_value="full", help="Five rounds of timing."),
    click.option("--resume", is_flag=True, help="Go on with a report that was interrupted."),
    click.option("--against", type=FILE, help="results.json of another report, laid beside this one."),
)
def report(implementations, data_source, seed, threads, json_file, progress, folder, size, resume, against):
    """All of it into one folder: index.html, report.md, a CSV per table, results.json."""
    files.check_writable(json_file)
    result = compare.report(
        folder, implementations, data_source, seed, threads, size or "normal", progress, resume, against
    )
    say("\n".join(result.verdict))
    say(f"\nwritten: {plain.line(result.folder / 'index.html')}")
    if json_file:
        files.write_text(json_file, (result.folder / "results.json").read_text())
    return result.exit_code


@click.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
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
        say(f"remark: {plain.line(remark.message)}", err=True)
    say(f"{plain.line(target)}: " + ", ".join(f"{name} {value}" for name, value in written.items()))


@click.group("data", cls=Commands)
def data_group():
    """Images: what there is, and where to get the rest."""


@data_group.command()
@click.option("--folder", type=PathOption(file_okay=False), help="Default: the cache.")
@click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal.")
def fetch(folder, progress):
    """Download all 70,000 MNIST digits (11 MB), checked by SHA-256. The only command that uses the network."""
    from compare.images import fetching

    say(f"MNIST is in {plain.line(fetching.fetch(folder, progress=progress))}")


@data_group.command()
@click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files.")
def show(data_source):
    """What a source holds; without --data, what commands use by default here."""
    from compare.images import data

    dataset = data.load(data_source)
    say(f"{plain.line(dataset.description)}\nSHA-256 {dataset.sha256}")
