"""Two numbers judge an allowance: how often it accuses a right network, and the smallest error that it catches."""

import numpy as np
import pandas as pd

from compare import contract, environment
from compare.cells import cells, limits
from compare.contract import NotOfferedError
from compare.graph import QUANTITIES
from compare.params import random_parameters
from compare.progress import progress_bar
from compare.verdict import judge
from compare.verdict.expected import Expected
from compare.verdict.observe import observe
from compare.verdict.packing import Question, by_case
from compare.verdict.probes import DTYPES, Probe

COLUMNS = [
    "implementation",
    "threads",
    "dtype",
    "cases",
    "quantities",
    "accused",
    "quantity",
    "smallest_caught",
    "step_quantity",
    "step_smallest_caught",
]
CHUNK = 50  # cases in one file of probes
# As at the start of training. Where a network is sure, p - y and the loss are differences of nearly equal numbers, and
# rounding alone changes them by more than a small error would.
TAME = 2.0


def random_case(seed):
    """A `Probe` of random sizes, padding, scales of images and parameters.

    Every fourth has ties. Every other has its dense layer scaled down so that no logit is larger than TAME.
    """
    rng = np.random.default_rng([seed, 9])
    n, h, w, c = rng.integers(1, 6), *rng.integers(4, 13, 2), rng.integers(1, 4)
    filters, classes = rng.integers(1, 7), rng.integers(2, 11)
    padding = str(rng.choice(["valid", "same"]))
    images = rng.standard_normal((n, h, w, c)) * 10.0 ** rng.uniform(-2, 1)
    if rng.random() < 0.25:
        images[:, :, : w // 2] = np.round(images[:, :, : w // 2])
    parameters = random_parameters((h, w, c), filters, classes, padding, rng)
    parameters = {name: value * 10.0 ** rng.uniform(-1, 0.5) for name, value in parameters.items()}
    case = Probe(f"random {seed}", "", images, rng.integers(0, classes, n), parameters, padding)
    if seed % 2:
        largest = np.abs(case.rounded("float64").inputs["logits"]).max() * 1.001 / TAME
        for name in ("dense_weight", "dense_bias"):
            parameters[name] = parameters[name] / max(1.0, largest)
    return case


def measure(spec, implementation):
    """Inside a cell: no arrays, and by dtype how many quantities were judged and accused, and what would be caught."""
    dtypes = [d for d in DTYPES if d in getattr(implementation, "dtypes", DTYPES)]
    found: dict = {dtype: {"quantities": 0, "accused": [], "caught": {}} for dtype in dtypes}
    for first in range(0, spec["cases"], CHUNK):
        chunk = [random_case(spec["seed"] + i) for i in range(first, min(first + CHUNK, spec["cases"]))]
        observed, noted = observe(Question.of(chunk, dtypes), implementation)
        seen, raised = by_case(observed), by_case(noted["raised"])
        for case in Question.of(chunk, dtypes).cases:
            key = (case.name, case.dtype)
            _add(found[case.dtype], case, case.dtype, seen[key], raised[key])
    if not any(of["quantities"] for of in found.values()):
        raise NotOfferedError("it offers no quantity that could be judged")
    return {}, {"found": found}


def _add(found, case, dtype, observed, raised):
    rows = [r for r in judge.judge_probe("", case, dtype, observed, raised) if r["outcome"] != "not offered"]
    found["quantities"] += len(rows)
    wrong = [r for r in rows if r["outcome"] != "agrees"]
    found["accused"] += [f"{case.name}: {r['mode']} {r['quantity']}: {r['outcome']}" for r in wrong]
    expected = Expected(case, judge.right_stages(case, dtype), observed)
    if np.abs(case.inputs["logits"]).max() > TAME:
        return
    caught: dict = {}
    for mode, quantities in QUANTITIES.items():
        for quantity in quantities:
            value = observed.get((mode, quantity))
            if value is None or not np.any(value):
                continue
            bounded = expected.of(mode, quantity)
            # an error of this much, at any place, is more than what is allowed there
            needed = bounded.allowance + np.abs(np.asarray(value, np.float64) - bounded.value)
            smallest = float(needed.max() / np.abs(bounded.value).max())
            # whoever computes it wrongly does so alone and in a pass: the sharper of the two catches it
            caught[quantity] = min(caught.get(quantity, np.inf), smallest)
    for quantity, smallest in caught.items():
        found["caught"][quantity] = max(found["caught"].get(quantity, 0.0), smallest)


def sharpness(implementations=None, cases=1000, seed=0, threads=(1, 2), jobs=2, progress=None):
    """Random cases through every implementation: who is accused, and how small an error would have been caught.

    Args:
        implementations: names or prefixes; None for all of `parity`.
        cases: how many, each in both dtypes with each number of threads.
        seed: of the first case.
        threads: numbers of threads of an implementation's process.
        jobs: processes at once.
    Returns:
        DataFrame of COLUMNS, a row per implementation, threads and dtype: `accused` counts quantities that were judged
        to differ, none of which does. `smallest_caught`: over all cases and quantities, an error of this share of a
        tensor's largest value, in any one element of any one output or gradient, is caught, in the stage alone or in a
        whole pass; `quantity` is the one that needs most, "" (and not-a-number) where no case could tell. `step_...`:
        the same of what one update gives, in which the rounding of a whole pass adds up unseen. Both over the cases
        with logits of at most TAME.
        `.attrs["accused"]` lists the accused; the others are as of `compare.parity`.
    Raises:
        ValueError: an unknown implementation, or a setting out of range.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
        contract.NothingCheckedError: an implementation offers nothing that could be judged.
        contract.BrokeDownError: an implementation raised, crashed or hung.
    """
    names = contract.select(implementations, "parity")
    limits.check_whole("cases", cases)
    limits.check_whole("seed", seed, 0, limits.SEED)
    specs = [
        {"task": "sharpness", "implementation": name, "cases": cases, "seed": seed, "threads": count, "limit": 7200}
        for name in names
        for count in threads
    ]
    with progress_bar(len(specs), "sharpness", progress) as bar:
        results = cells.run(specs, jobs, lambda _: bar.update(), anywhere=True)
    unavailable = contract.note_missing(results, by_name=implementations is not None)
    contract.demand(results)
    rows, accused = [], []
    for result in results:
        spec = result.spec
        for dtype, found in result.meta.get("found", {}).items():
            caught = found["caught"]
            steps = {name for name in caught if name.startswith("step_")}
            row: tuple = (spec["implementation"], spec["threads"], dtype, cases, found["quantities"])
            row += (len(found["accused"]),)
            for names in (caught.keys() - steps, steps):
                worst = max(
                    names, key=caught.__getitem__, default=""
                )  # none where it is not offered, or no case is tame
                row += (worst, caught.get(worst, np.nan))
            rows.append(row)
            accused += [f"{spec['implementation']}, {dtype}, {line}" for line in found["accused"]]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame.attrs = {
        "environment": environment.describe(max(threads), results),
        "unavailable": unavailable,
        "accused": accused,
    }
    return frame
