"""`compare.parity`: probes into a cell for each implementation, its observations into rows."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from compare import contract, environment
from compare.cells import cells, limits
from compare.graph import STAGE_ORDER
from compare.progress import progress_bar
from compare.verdict import judge, precision, probes
from compare.verdict.observe import observe
from compare.verdict.packing import PATH, Question, by_case, pack, unpack_answer
from compare.verdict.path import judge_path
from compare.verdict.precision import DTYPES
from compare.verdict.updates import UPDATES, judge_updates, make_updates
from numpy_cnn.layers import Layers

LIMIT = 600  # seconds for one implementation on all probes, and for each half precision as much again
# half a minute where the others take seconds
SLOWEST = ("torch-compiled", "keras-jax", "numpy-loops", "keras-tensorflow")


def parity(
    implementations=None,
    data_source=None,
    seed=0,
    threads=1,
    dtypes=DTYPES,
    path=True,
    few=False,
    optimisers=False,
    strict=None,
    jobs=2,
    progress=None,
):
    """Copy one set of weights into every implementation and judge all that comes out.

    Args:
        implementations: names or prefixes (list or comma-separated), None for all that are available.
        data_source: "sample", "mnist", a folder, or None; see `compare.images.data.load`.
        seed: of weights, upstream gradients and the choice of digits.
        threads: of every implementation; 1 keeps the last bits the same from run to run.
        dtypes: of "float32", "float64", "float16", "bfloat16" (list or comma-separated).
        path: follow 100 training steps as well, and 100 of the optimisers alone; not in half precision, where a step
            of the filters is within what rounding may do (`allowances.whole_pass`), and the bound of 1,000 roundings in
            `updates` does not hold.
        few: take the probes of `probes.FEW` alone, for a quick answer.
        optimisers: judge these alone, and say where their own defaults lead; by itself of each framework once.
        strict: whether a framework that is missing is an error; None: where `implementations` are named.
        jobs: implementations at work side by side.
        progress: a bar on stderr; None shows it where stderr is a terminal.
    Returns:
        DataFrame of `judge.COLUMNS`, one row per implementation, probe, dtype, mode and quantity; errors in the units
        of the quantity, `allowance_used` as a fraction; in half precision `smallest_caught` too, the smallest relative
        error that is more than rounding: where that is more than 1 the outcome is "hidden". `.attrs` holds `data`,
        `environment`, `unavailable` (name to reason, of implementations that were not asked for by name) and
        `arbiter_proven`.
    Raises:
        ValueError: an unknown implementation, dtype or data source, optimisers in half precision, a setting out of
            range, images that are too small or too large for the memory.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    names = contract.select(implementations, "parity")
    if optimisers and implementations is None:
        names = with_optimisers()
    dtypes = precision.select(dtypes)
    half = [dtype for dtype in dtypes if dtype in precision.HALF]
    if optimisers and half:
        raise ValueError(f"optimisers: found {' and '.join(half)}, wanted {' or '.join(DTYPES)}: see docs/precision.md")
    limits.check_whole("seed", seed, 0, limits.SEED)
    limits.check_whole("threads", threads, most=limits.THREADS)
    dataset = limits.load(data_source)
    limits.check_memory(dataset.name, limits.parity_need(dataset, dtypes, min(jobs, len(names))))
    cases = probes.make_probes(dataset, seed)
    small = [case for case in cases if case.by_definition]
    rows = prove_arbiter(small)
    proven = all(row["passed"] for row in rows)
    training = probes.make_path(dataset, seed) if path and proven else None
    updates = make_updates(training) if training is not None else None
    if not proven:
        cases = small
    elif few:
        cases = [case for case in cases if case.name in probes.FEW]
    judged = {}
    same: dict = {}
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder, ThreadPoolExecutor(1) as judging:
        inputs = Path(folder) / "probes.npz"
        question = Question([], dtypes, None, updates) if optimisers else Question.of(cases, dtypes, training, updates)
        arrays, meta = pack(question)
        cells.write_result(inputs, meta, arrays)
        limit = LIMIT * (1 + len(half))
        spec = {"task": "parity", "inputs": str(inputs), "threads": threads, "limit": limit, "defaults": optimisers}
        with progress_bar(len(names), "parity", progress) as bar:

            def done(result):  # the others are at work meanwhile
                name = result.spec["implementation"]
                judged[name] = judging.submit(_judge_and_drop, result, question, same)
                bar.update()

            try:
                specs = [{**spec, "implementation": name} for name in by_length(names)]
                results = cells.run(specs, jobs, done, anywhere=True)
            except BaseException:  # an interrupt need not wait for what nobody will read
                judging.shutdown(cancel_futures=True)
                raise
    unavailable = contract.note_missing(results, by_name=implementations is not None if strict is None else strict)
    for name in names:
        if name not in unavailable:
            rows += judged[name].result()
    results.sort(key=lambda result: names.index(result.spec["implementation"]))
    if optimisers:
        rows = [row for row in rows if row["implementation"] != "arbiter" or not row["passed"]]
    more = ["own_defaults"] * optimisers + ["smallest_caught"] * bool(half)
    frame = pd.DataFrame(rows).reindex(columns=[*judge.COLUMNS, *more])
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(threads, results),
        "unavailable": unavailable,
        "arbiter_proven": proven,
    }
    return frame


def with_optimisers():
    """Names of implementations with optimisers; of those that share them, the last."""
    entries = contract.ENTRIES.values()
    return list({(entry.optimisers, entry.backend): entry.name for entry in entries if entry.optimisers}.values())


def by_length(names):
    """The slowest first, so that none of them begins when the others are through."""
    return sorted(names, key=lambda name: SLOWEST.index(name) if name in SLOWEST else len(SLOWEST))


def prove_arbiter(cases):
    """Rows of `numpy_cnn` in float64 on probes that plain loops judge. Only if all pass may it judge others."""
    found, noted = observe(Question.of(cases, ["float64"]), Layers)
    return judge_answer("arbiter", found, noted, Question.of(cases, ["float64"]))


def _judge_and_drop(result, question, same):
    """As `judge_result`; of large images one answer takes gigabytes, and nobody reads it again."""
    rows = judge_result(result, question, same)
    result.arrays.clear()
    return rows


def judge_result(result, question, same=None):
    """Rows of what one cell observed (a `cells.Result`), or the one row that says why there is nothing.

    `same` is a dict, for the judgement of other implementations on the same question to go on with.
    """
    name = result.spec["implementation"]
    if result.status != "ok":
        where = {"implementation": name, "quantity": "all", "dtype": "", "probe": "all", "mode": "run"}
        return [{**where, "stage": "not run", **judge.failure(result.status, result.error)}]
    found, noted = unpack_answer(result.arrays, result.meta)
    return judge_answer(name, found, noted, question, same)


def judge_answer(name, found, noted, question, same=None):
    """Rows of what `observe` found and noted of an implementation, probe by probe in each dtype."""
    same = {} if same is None else same
    seen, raised = by_case(found), by_case(noted["raised"])
    rows = []
    for dtype in question.dtypes:
        for case in question.cases:
            if case.dtype == dtype:
                key = (case.name, dtype)
                known = same.setdefault(key, {})
                rows += judge.judge_probe(name, case, dtype, seen[key], raised[key], same=known)
        if question.path is not None and dtype in DTYPES:
            key = (PATH, dtype)
            known = same.setdefault(key, {})
            rows += judge_path(name, question.path, dtype, seen[key], raised[key].get((PATH,)), known)
        if question.updates is not None and dtype in DTYPES:
            key = (UPDATES, dtype)
            rows += judge_updates(name, question.updates, dtype, seen[key], raised[key], noted.get("conventions", {}))
    return [row | {"note": _why(row, noted)} if row["outcome"] == "not offered" else row for row in rows]


def _why(row, noted):
    """Why something is not offered, as far as the implementation says so."""
    lacks = noted.get("lacks", {}).get(row["dtype"], "")
    return (noted.get("optimisers") if row["probe"] == UPDATES else "") or lacks or noted.get("less", "")


def passed(frame):
    """Names of the implementations that agree in everything they offer."""
    checked = frame[(frame["implementation"] != "arbiter") & ~frame["outcome"].isin(judge.NOT_JUDGED)]
    by_name = (checked["outcome"] == "agrees").groupby(checked["implementation"], sort=False).all()
    return [name for name, good in by_name.items() if good]


def first_difference(frame):
    """For each implementation that does not agree throughout: its worst row at the earliest stage.

    A stage that differs alone, on exact inputs, goes before the same stage in a whole pass: that error is its own.
    """
    failed = frame[~frame["outcome"].isin(["agrees", *judge.NOT_JUDGED])]
    if failed.empty:
        return failed
    order = pd.DataFrame(
        {
            "stage": failed["stage"].map(STAGE_ORDER),
            "mode": (failed["mode"] != "alone").astype(int),
            "used": -failed["allowance_used"].replace(np.inf, 1e300),
        }
    ).sort_values(["stage", "mode", "used"])
    return failed.loc[order.index].drop_duplicates("implementation")
