"""`compare.report`: everything run once, then written as pages, tables and rows into one folder."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from compare import contract, files, output, plain
from compare.cells import kept, limits
from compare.pages import again, beside, content, pictures, sealing, words
from compare.plain_files import scratch
from compare.training import starts
from compare.verdict.probes import DTYPES
from compare.verdict.run import passed

FILES = ("parity.csv", "accuracy.csv", "speed.csv", "results.json", "report.md", "index.html")
KEPT = ".cells"  # the folder in a report's folder that holds what is finished while the rest is being made


@dataclass(frozen=True)
class Report:
    """Where the pages are, what they say first, and the exit code of `output.exit_code`."""

    folder: Path
    verdict: list
    exit_code: int


def report(
    folder="report",
    implementations=None,
    data_source=None,
    seed=0,
    threads=1,
    size="normal",
    progress=None,
    resume=False,
    against=None,
):
    """Run parity, accuracy, speed and known defects, and write one folder of FILES; `index.html` needs only itself.

    Only what passes parity is timed. The files of an earlier report are replaced once all new ones are complete;
    anything else in the folder stays.

    Args:
        folder: made where there is none.
        implementations, data_source, seed, threads, progress: as for `compare.parity`.
        size: "quick", "normal" or "full", see `again.SIZES`.
        resume: go on with a report in that folder that was interrupted: what was finished is not run again.
        against: the results.json of another report, to be laid beside this one.
    Raises:
        ValueError: an unknown size, implementation or data source, another report is being made in that folder, or
            `against` is no results.json.
        OSError: the folder cannot be written; raised before anything is run.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    if size not in again.SIZES:
        raise ValueError(contract.unknown("size", size, again.SIZES))
    asked = contract.select(implementations, "report")
    if str(folder) == "":  # as a path it would be the folder that one stands in
        raise ValueError("folder: found '', wanted a path")
    folder = Path(folder)
    check_folder(folder)
    other = None if against is None else beside.load(against)
    with files.taken(folder):
        cells = folder / KEPT
        if not resume:
            shutil.rmtree(cells, ignore_errors=True)
        with kept.keeping(cells):
            result = _report(folder, asked, implementations, data_source, seed, threads, size, progress, other)
        shutil.rmtree(cells, ignore_errors=True)
        return result


def _report(folder, asked, implementations, data_source, seed, threads, size, progress, other):
    from compare.clock.speed import speed
    from compare.training.accuracy import trained
    from compare.training.evidence import defects
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
    sizes = again.SIZES[size]
    training = trained(here, source, seed, threads=threads, strict=False, progress=progress, **sizes["accuracy"])
    timed = speed(here, source, seed, threads=threads, proven=passed(judged), progress=progress, **sizes["speed"])
    wrong = None
    if again.DEFECTIVE in passed(judged):
        wrong = defects(again.DEFECTIVE, source, seed, only=again.DEFECTS, progress=progress, **sizes["defects"])
    named = None if implementations is None else asked
    settings = {"implementations": named, "data_source": source, "seed": seed, "threads": threads, "size": size}
    shown = pictures.gathered(training.shown, training.frame.attrs["reference"], dataset)
    write_files(folder, render(judged, training.frame, timed, settings, wrong, shown, other))
    frames = judged, training.frame, timed
    return Report(folder, words.words(*frames), output.exit_code(*frames))


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


def render(parity, accuracy, speed, settings, defects=None, shown=None, other=None):
    """All files as text by name, from rows alone: the same rows give the same bytes.

    Args:
        parity, accuracy, speed: DataFrames of `compare.parity`, `compare.accuracy` and `compare.speed`.
        settings: implementations (names, or None), data_source, seed, threads, size.
        defects: DataFrame of `compare.defects`, or None.
        shown: of `pictures.gathered`.
        other: the document of another report's results.json, or None.
    """
    frames = {"parity": parity, "accuracy": accuracy, "speed": speed}
    shown = shown or {}
    document = {"schema_version": output.SCHEMA_VERSION, "command": "report", "settings": settings}
    for frame in (speed, accuracy, parity):  # parity last: it knows what is not available
        document |= frame.attrs | {"settings": settings}
    document |= {"accuracy_settings": accuracy.attrs["settings"], "verdict": words.words(*frames.values())}
    document |= {"exit_code": output.exit_code(*frames.values())}
    document |= {name: output.records(frame) for name, frame in frames.items()}
    document |= {
        "trainings": output.records(starts.summary(accuracy)),
        "drifts": output.records(starts.drifts(accuracy)),
    }
    document |= {"defects": [] if defects is None else output.records(defects)}
    document |= {"walk": shown.get("walk", []), "misread": shown.get("misread", [])}
    page = content.content(parity, accuracy, speed, defects, settings, shown, other and beside.rows(document, other))
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
    own = {"style": "style.css", "script": "script.js"}
    page |= {name: Markup((Path(__file__).parent / file).read_text()) for name, file in own.items()}
    markup = escaped.overlay(autoescape=False)
    markup.filters["md"] = again.markdown
    files["report.md"] = markup.get_template("report.md.jinja").render(page)
    files["index.html"] = sealing.sealed(escaped.get_template("index.html.jinja").render(page))
    return files
