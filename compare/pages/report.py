"""`compare.report`: everything run once, then written as pages, tables and rows into one folder."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jinja2

from compare import contract, files, limits, output, plain
from compare.pages import content
from compare.plain_files import scratch
from compare.verdict.probes import DTYPES
from compare.verdict.run import passed

FILES = ("parity.csv", "accuracy.csv", "speed.csv", "results.json", "report.md", "index.html")


@dataclass(frozen=True)
class Report:
    """Where the pages are, what they say first, and the exit code of `output.exit_code`."""

    folder: Path
    verdict: list
    exit_code: int


def report(folder="report", implementations=None, data_source=None, seed=0, threads=1, size="normal", progress=None):
    """Run parity, accuracy and speed, and write one folder of FILES; `index.html` needs nothing but itself.

    Only what passes parity is timed. The files of an earlier report are replaced once all new ones are complete;
    anything else in the folder stays.

    Args:
        folder: made where there is none.
        implementations, data_source, seed, threads, progress: as for `compare.parity`.
        size: "quick", "normal" or "full", see `content.SIZES`.
    Raises:
        ValueError: an unknown size, implementation or data source, or another report is being made in that folder.
        OSError: the folder cannot be written; raised before anything is run.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    if size not in content.SIZES:
        raise ValueError(contract.unknown("size", size, content.SIZES))
    asked = contract.select(implementations, "report")
    if str(folder) == "":  # as a path it would be the folder that one stands in
        raise ValueError("folder: found '', wanted a path")
    folder = Path(folder)
    check_folder(folder)
    with files.taken(folder):
        return _report(folder, asked, implementations, data_source, seed, threads, size, progress)


def _report(folder, asked, implementations, data_source, seed, threads, size, progress):
    from compare.timing import speed
    from compare.training import trained
    from compare.verdict.run import parity

    dataset = limits.load(data_source)
    source = dataset.name
    # what its parts would refuse later, after minutes
    for need in (
        limits.parity_need(dataset, DTYPES),
        limits.training_need(dataset, 32),
        limits.timing_need(dataset, 256),
    ):
        limits.check_memory(source, need)
    judged = parity(asked, source, seed, threads, strict=implementations is not None, progress=progress)
    here = [name for name in asked if name not in judged.attrs["unavailable"]]
    sizes = content.SIZES[size]
    training = trained(here, source, seed, threads=threads, strict=False, progress=progress, **sizes["accuracy"])
    timed = speed(here, source, seed, threads=threads, proven=passed(judged), progress=progress, **sizes["speed"])
    named = None if implementations is None else asked
    settings = {"implementations": named, "data_source": source, "seed": seed, "threads": threads, "size": size}
    write_files(folder, render(judged, training.frame, timed, settings))
    return Report(folder, content.words(judged, training.frame, timed), output.exit_code(judged, training.frame, timed))


def check_folder(folder):
    """Raise an OSError that names the folder where its files could not be written. Makes nothing."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise type(error)(error.errno, f"cannot write there ({error.strerror})", str(folder)) from error
    for name in FILES:
        if (folder / name).is_dir():
            raise IsADirectoryError(f"{folder / name}: found a folder, wanted a file or nothing")


def write_files(folder, files):
    """Write texts by name into a folder: all are complete beside their places before the first one moves."""
    folder = Path(folder)
    with scratch(_existing(folder), ".cnn-compare-") as staging:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            (staging / name).replace(folder / name)


def _existing(folder):
    """The folder itself or the nearest one above it that exists: on the same disk, so that moving a file is one act."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def render(parity, accuracy, speed, settings):
    """All files as text by name, from rows alone: the same rows give the same bytes.

    Args:
        parity, accuracy, speed: DataFrames of `compare.parity`, `compare.accuracy` and `compare.speed`.
        settings: implementations (names, or None), data_source, seed, threads, size.
    """
    frames = {"parity": parity, "accuracy": accuracy, "speed": speed}
    page = content.content(parity, accuracy, speed, settings)
    document = {"schema_version": output.SCHEMA_VERSION, "command": "report", "settings": settings}
    for frame in (speed, accuracy, parity):  # parity last: it knows what is not available
        document |= frame.attrs | {"settings": settings}
    document |= {"accuracy_settings": accuracy.attrs["settings"], "verdict": page["verdict"]}
    document |= {"exit_code": output.exit_code(*frames.values())}
    document |= {name: output.records(frame) for name, frame in frames.items()}
    files = {f"{name}.csv": frame.to_csv(index=False, lineterminator="\n") for name, frame in frames.items()}
    files["results.json"] = json.dumps(document, indent=1, allow_nan=False) + "\n"
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    escaped = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain.visible(value) if type(value) is str else value,  # what is Markup is our own
    )
    markup = escaped.overlay(autoescape=False)
    markup.filters["md"] = content.markdown
    files["report.md"] = markup.get_template("report.md.jinja").render(page)
    files["index.html"] = escaped.get_template("index.html.jinja").render(page)
    return files
