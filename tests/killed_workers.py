"""A sweep whose workers are killed, and once its scheduler: what comes of it, and what many cells need.

`python tests/killed_workers.py --cells 1000 --output docs/cluster.md` counts it and writes it into the page.
"""

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import cluster
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from compare.cells import placing  # noqa: E402
from compare.sweeping import settings, sweep  # noqa: E402
from compare.sweeping.rows import Rows  # noqa: E402

NAMES = ("first", "second")
WHICH = ("seed", "implementation", "defect", "optimiser", "batch_size", "learning_rate")
STARTS = 20  # of the command, after which something else is wrong
BLOCK = re.compile(r"(<!-- tests/killed_workers\.py -->\n).*?(<!-- end -->)", re.DOTALL)


def of_cells(count, **more):
    """`Settings` of so many short trainings, ten of each seed."""
    rates = (0.01, 0.02, 0.05, 0.1, 0.2)
    names = ("numpy-layers", "numpy-fused")
    given = {"seeds": tuple(range(-(-count // 10))), "implementations": names, "learning_rates": rates}
    return settings.Settings(**given, data="sample", images=500, tested=200, **more)


def written(folder, asked):
    """The TOML file of `Settings`."""
    path = Path(folder) / "sweep.toml"
    lines = [
        f"{name} = {list(value) if isinstance(value, tuple) else value!r}"
        for name, value in dataclasses.asdict(asked).items()
        if value is not None
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def parts(out):
    """Files of rows, so far."""
    return len(list((out / "rows").glob("*.parquet")))


@dataclasses.dataclass
class Outcome:
    """What came of a sweep.

    started: how often the command was. killed: workers, while cells were at work. keys: different ones among the rows.
    ended: rows of trainings that came to their end, or diverged.
    right: rows with the numbers of the same training undisturbed.
    """

    cells: int
    seconds: float
    started: int
    killed: int
    rows: int
    keys: int
    ended: int
    right: int


def disturbed(folder, asked, every, scheduler_at, kills=10_000):
    """Sweep on two workers, one of them killed every so many seconds; the scheduler once, at so many files of rows.

    `kills` are how many workers at the most.
    """
    folder.mkdir(exist_ok=True)
    out, path = folder / "out", written(folder, asked)
    begin, started, killed, codes = time.monotonic(), 0, 0, []
    with cluster.cluster(folder / "cluster", *NAMES) as made:
        while codes[-1:] != [0]:
            assert started < STARTS and set(codes) <= {3}, f"exit codes {codes}"
            command = [sys.executable, "-m", "compare", "sweep", str(path), "--out", str(out)]
            process = subprocess.Popen([*command, "--scheduler", made.address], env=made.environment)
            started += 1
            # one at the first row, however fast the others come
            last = time.monotonic() - (every if started == 1 else 0)
            while process.poll() is None:
                if scheduler_at is not None and parts(out) >= scheduler_at:
                    scheduler_at = None
                    for name in ("scheduler", *NAMES):
                        made.kill(name)
                elif killed < kills and time.monotonic() > last + every and parts(out) and NAMES[0] in made.processes:
                    last, name = time.monotonic(), NAMES[killed % 2]
                    made.kill(name)
                    killed += 1
                    made.work(name)
                time.sleep(0.05)
            codes.append(process.returncode)
            if "scheduler" not in made.processes:
                made.schedule()
                for name in NAMES:
                    made.work(name)
    seconds = time.monotonic() - begin
    rows = pq.read_table(out / "sweep.parquet").to_pylist()
    wanted = undisturbed(asked)
    numbers = ("status", "test_accuracy", "test_loss", "steps")
    right = sum(
        all(row[name] == wanted[identity(row)].get(name) for name in numbers) for row in rows if identity(row) in wanted
    )
    ended = sum(row["status"] in ("trained", "diverged") for row in rows)
    return Outcome(len(asked), seconds, started, killed, len(rows), len({row["key"] for row in rows}), ended, right)


def identity(row):
    """What tells one training from another."""
    return tuple(row[name] for name in WHICH)


def undisturbed(asked):
    """{identity: row} of the same trainings in one process for each implementation, on this machine."""
    whole = dataclasses.replace(asked, per_process=len(asked))
    with tempfile.TemporaryDirectory() as folder:
        sweep.sweep(whole, Path(folder) / "out", 2, progress=False)
        return {identity(row): row for row in pq.read_table(Path(folder) / "out" / "sweep.parquet").to_pylist()}


def seconds_with(folder, asked, workers):
    """How long a sweep takes with so many workers, each with one slot."""
    folder.mkdir()
    names = [f"worker{number}" for number in range(workers)]
    with cluster.cluster(folder / "cluster", *names) as made, placing.on(made.address) as away:
        while away.slots() < workers:
            time.sleep(0.05)
        begin = time.monotonic()
        sweep.sweep(asked, folder / "out", progress=False)
        return time.monotonic() - begin


def seconds_of_a_task(folder, count=3000):
    """What the way to a worker and back costs for each task, when many that do nothing are under way at once."""
    with cluster.cluster(folder, *NAMES) as made, placing.on(made.address) as away:
        while away.slots() < len(NAMES):
            time.sleep(0.05)
        begin = time.monotonic()
        slot = {"resources": {placing.SLOT: 1}}
        futures = [away.submit(len, b"", key=f"nothing-{number}", **slot) for number in range(count)]
        assert sum(future.result() for future in futures) == 0
        return (time.monotonic() - begin) / count


def table(head, *rows):
    """Rows of texts as Markdown, numbers to the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---', *['--:'] * (len(head) - 1)])}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def report(given, folder):
    """The lines of the page."""
    asked = of_cells(given.cells)
    found = disturbed(folder / "killed", asked, given.every, min(400, len(asked) // 2))
    if not (found.cells == found.rows == found.keys == found.ended == found.right and found.killed):
        raise SystemExit(f"not as wanted: {found}")
    yield f"Of {found.cells:,} cells on two workers, on a machine with {os.cpu_count()} processors:"
    yield ""
    counts = {
        f"workers killed, one every {given.every:g} s": found.killed,
        "schedulers killed": 1,
        "times that the command was given": found.started,
        "rows": found.rows,
        "different cells among them": found.keys,
        "with the numbers of the same training undisturbed, to the bit": found.right,
        "minutes": f"{found.seconds / 60:.1f}",
    }
    yield from table(("what", "count"), *((name, str(count)) for name, count in counts.items()))
    few = of_cells(given.few)
    times = {workers: seconds_with(folder / f"with{workers}", few, workers) for workers in (1, 2)}
    yield ""
    yield f"{len(few)} cells, undisturbed:"
    yield ""
    yield from table(
        ("workers", "seconds", "seconds a cell"),
        *((str(workers), f"{seconds:.1f}", f"{seconds / len(few):.2f}") for workers, seconds in times.items()),
    )
    way = seconds_of_a_task(folder / "tasks")
    row, part = (folder / "killed" / "out" / "sweep.parquet").stat().st_size / found.rows, of_part(folder)
    one = times[1] / len(few)
    hours = 1e6 / 3600
    yield ""
    yield "What 1,000,000 such cells need, on paper:"
    yield ""
    yield from table(
        ("what", "one", "1,000,000"),
        ("time of workers", f"{one:.2f} s", f"{one * hours:,.0f} hours of one, {one * hours / 100:,.1f} of 100"),
        ("way through the scheduler and back, one after the other", f"{1000 * way:.1f} ms", f"{way * hours:.1f} hours"),
        ("workers beyond which that way is what takes longest", "", f"{one / way:,.0f}"),
        ("memory of the command", f"{(held := bytes_of_a_cell()):,.0f} bytes", f"{held / 1e3:.1f} GB"),
        ("row in sweep.parquet", f"{row:.0f} bytes", f"{row:.0f} MB"),
        ("file of a row that came in last", f"{part:,} bytes", "499 of them, and 2,000 files of 500 rows"),
    )


def bytes_of_a_cell(count=20_000):
    """What the command holds in memory of each cell that has no row yet."""
    tracemalloc.start()
    asked = of_cells(count)
    keyed = [(sweep.key_of(cell, asked, ""), cell) for cell in asked.cells()]
    specs = sweep.specs_of(keyed, asked, "")
    size = tracemalloc.get_traced_memory()[0] / len(specs)
    tracemalloc.stop()
    return size


def of_part(folder):
    """Bytes of a file with one row."""
    row = pq.read_table(folder / "killed" / "out" / "sweep.parquet").slice(0, 1).to_pylist()
    store = Rows(folder / "part")
    store.add(row)
    return store.parts[0].stat().st_size


def main():
    """Run it, print the lines, and write them into a page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--few", type=int, default=60, help="Cells for the time by workers.")
    parser.add_argument("--every", type=float, default=20, help="Seconds from one killed worker to the next.")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="killed-workers-") as folder:
        lines = []
        for line in report(given, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    if given.output:
        page = given.output.read_text()
        text = "\n".join(lines)
        given.output.write_text(BLOCK.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page))


if __name__ == "__main__":
    main()
