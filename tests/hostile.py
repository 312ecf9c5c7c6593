"""What damaged files, signals and hostile code come to, counted: a table, and exit code 1 if a row falls short.

    python tests/hostile.py [--seed N] [--mutants N] [--kills N] [--output FILE]

The seed is printed; a case that falls short is kept in a folder that is named, with the line that runs it again.
"""

import argparse
import gzip
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import test_hostile_files as hostile_files  # noqa: E402 - found by the line above

from compare import plain_files  # noqa: E402
from compare.cells import guard  # noqa: E402
from compare.images import idx  # noqa: E402
from numpy_cnn import load_weights, save_weights  # noqa: E402

# of all mutants, by format; one of HDF5 takes a process, and so a third of a second
SHARES = {".npz": 0.3, ".safetensors": 0.3, ".pt": 0.09, ".gz": 0.3, ".weights.h5": 0.01}
ONE = ("--epochs", "1", "--seeds", "1", "--start", "own")  # training, which lasts a second
COMMANDS = (
    ["list", "--implementations", "numpy-layers", "--json", "out.json"],
    ["data", "show", "--data", "sample"],
    ["parity", "--implementations", "numpy-layers", "--data", "sample", "--no-path", "--json", "out.json"],
    ["accuracy", "--implementations", "numpy-layers", "--data", "sample", *ONE, "--json", "out.json"],
    ["check", str(ROOT / "docs" / "examples" / "my_cnn.py"), "--save", "case", "--json", "out.json"],
    ["convert", "a.npz", "b.safetensors"],
)
BAD = "bad or mistake or damaged or none or null"  # of the tests of the command line
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


def readers(folder):
    """{ending: (a right file, how it is read, what comes out of a right one)}."""
    from keras_cnn.adapter import Adapter as Keras
    from torch_cnn.adapter import Adapter as Torch

    wanted = hostile_files.parameters()
    found = {}
    for ending in (".npz", ".safetensors"):
        save_weights(folder / f"a{ending}", wanted, **hostile_files.GEOMETRY)
        found[ending] = (lambda path: _bytes(load_weights(path)[0]) + str(load_weights(path)[1]).encode(),)
    for ending, adapter in ((".pt", Torch), (".weights.h5", Keras)):
        model = adapter(**hostile_files.NETWORK)
        model.set_parameters(wanted)
        model.save(folder / f"a{ending}")

        def read(path, model=model):
            model.set_parameters({name: value * 0 for name, value in wanted.items()})
            model.load(path)
            return _bytes(model.get_parameters())

        found[ending] = (read,)
    pixels = random.Random(0).randbytes(20 * 28 * 28)
    content = gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 20, 28, 28) + pixels, mtime=0)
    (folder / "a.gz").write_bytes(content)
    found[".gz"] = (lambda path: idx.unpack(path, 3),)
    return {ending: (folder / f"a{ending}", read, read(folder / f"a{ending}")) for ending, (read,) in found.items()}


def _bytes(parameters):
    return b"".join(value.tobytes() for value in parameters.values())


def of_mutants(seed, count, kept):
    """Rows of damaged files: each is refused in one line that begins with its path, or gives the very same numbers."""
    with tempfile.TemporaryDirectory() as folder:
        for ending, (good, read, wanted) in readers(Path(folder)).items():
            path = Path(folder) / f"mutant{ending}"
            cases, short, begin = max(1, round(count * SHARES[ending])), 0, time.monotonic()
            for number, changed in hostile_files.mutants(good.read_bytes(), f"{seed} {ending}", cases):
                path.write_bytes(changed)
                told = time.monotonic()
                with warnings.catch_warnings(record=True) as noticed:
                    warnings.simplefilter("always")
                    try:
                        outcome = "" if read(path) == wanted or noticed else "other numbers, and nothing said"
                    except ValueError as error:
                        said = str(error)
                        bounded = said.startswith(f"{path}: ") and "\n" not in said and len(said) < 2000
                        outcome = "" if bounded else f"no such line: {said[:200]}"
                    except Exception as error:
                        outcome = f"{type(error).__name__}: {error}"[:200]
                if time.monotonic() - told > 90:
                    outcome = "took more than 90 s"
                if outcome:
                    short += 1
                    (kept / f"{number}{ending}").write_bytes(changed)
                    print(
                        f"{kept / f'{number}{ending}'}: {outcome}; again: --seed {seed} --mutants {count}", flush=True
                    )
            yield f"damaged `{ending}`", cases, cases - short, time.monotonic() - begin


def of_kills(seed, count, kept):
    """A row of commands that are ended at any moment: nothing half-written, and nothing left by the next start."""
    draw, short, begin = random.Random(f"{seed} kills"), 0, time.monotonic()
    lengths: dict = {}
    for number in range(count):
        arguments = COMMANDS[number % len(COMMANDS)]
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "tmp"
            temporary.mkdir()
            save_weights(Path(folder) / "a.npz", hostile_files.parameters(), **hostile_files.GEOMETRY)
            if arguments[0] not in lengths:
                started = time.monotonic()
                _start(arguments, folder, temporary).communicate()
                lengths[arguments[0]] = time.monotonic() - started
            process = _start(arguments, folder, temporary)
            which, wait = draw.choice(SIGNALS), draw.random() * lengths[arguments[0]]
            time.sleep(wait)
            process.send_signal(which)
            _, errors = process.communicate(timeout=120)
            for left in temporary.iterdir():
                old = time.time() - 2 * plain_files.STALE
                os.utime(left, (old, old))
            _start(["check", "--template"], folder, temporary).communicate()
            wrong = _wrong(Path(folder), temporary, errors)
            if wrong:
                short += 1
                line = f"{' '.join(arguments)}, {which.name} after {wait:.3f} s: {wrong}"
                (kept / f"kill-{number}.txt").write_text(f"{line}\n{errors}")
                print(f"{line}; again: --seed {seed} --kills {count}", flush=True)
    yield "commands that are ended", count, count - short, time.monotonic() - begin


def _start(arguments, folder, temporary):
    path = {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    return subprocess.Popen(
        [sys.executable, "-m", "compare", *arguments],
        cwd=folder,
        env={**os.environ, **path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wrong(folder, temporary, errors):
    """What is not as promised after a command was ended and another one was started, or ""."""
    time.sleep(0.2)
    mark = f"{guard.MARK}={temporary}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in file.read_bytes():
                return f"process {file.parent.name} is left"
        except OSError:
            continue
    if left := [path.name for path in temporary.iterdir()]:
        return f"left {left}"
    if "Traceback" in errors and re.search(rf"{re.escape(str(ROOT))}/(compare|numpy_cnn)", errors):
        return "a traceback"
    try:
        if (folder / "out.json").exists():
            json.loads((folder / "out.json").read_text())
        if (folder / "b.safetensors").exists():
            load_weights(folder / "b.safetensors")
    except ValueError as error:
        return f"half-written: {error}"
    return ""


def of_tests(scenario, *chosen):
    """A row of tests, each of which is a case."""
    begin = time.monotonic()
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={file.name}", *chosen], cwd=ROOT)
        suite = xml.etree.ElementTree.parse(file.name).getroot()[0]
    cases = int(suite.get("tests", 0)) - int(suite.get("skipped", 0))
    yield scenario, cases, cases - int(suite.get("failures", 0)) - int(suite.get("errors", 0)), time.monotonic() - begin


def main():
    """Run all rows, write the table, and end with 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    kept = Path(tempfile.mkdtemp(prefix="hostile-"))
    print(f"seed {given.seed}; cases that fall short are kept in {kept}", flush=True)
    lines = ["| scenario | cases | as wanted | seconds |", "|---|--:|--:|--:|"]
    good = True
    for rows in (
        of_mutants(given.seed, given.mutants, kept),
        of_kills(given.seed, given.kills, kept),
        of_tests("hostile code", "tests/test_hostile_code.py", "tests/test_forged.py", "tests/test_nobody_passes.py"),
        of_tests("names and output", "tests/test_written.py"),
        of_tests("hostile files", "tests/test_hostile_files.py"),
        of_tests(
            "bad command lines",
            "tests/test_cli.py",
            "tests/test_check_door.py",
            "-k",
            BAD,
        ),
    ):
        for scenario, cases, wanted, seconds in rows:
            lines.append(f"| {scenario} | {cases:,} | {wanted:,} | {seconds:.0f} |")
            print(lines[-1], flush=True)
            good = good and wanted == cases > 0
    if given.output:
        head = f"# Reliability\n\n`tox run -e hostile` counts it, here with seed {given.seed}; what is promised is in"
        text = f"{head} [SECURITY.md](../SECURITY.md).\n\n" + "\n".join(lines)
        given.output.write_text(f"{text}\n")
    if not any(kept.iterdir()):
        kept.rmdir()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
