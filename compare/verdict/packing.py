"""What is asked and what is answered, as files: the only place where keys become names, and names keys."""

from collections import defaultdict
from dataclasses import dataclass

from compare.cells.cells import read_arrays
from compare.contract import PARAMETERS
from compare.verdict.probes import Path, Probe
from compare.verdict.updates import UPDATES, Updates

NOTES = ("raised", "refused", "outcomes")  # texts by key, of what gave no array
PATH = "path"  # stands where a probe's name would, for what is observed along the training path


@dataclass(frozen=True)
class Question:
    """What an implementation is asked: probes, each rounded to each of the dtypes; a `Path`, `Updates`, or None."""

    cases: list[Probe]
    dtypes: tuple[str, ...]
    path: Path | None = None
    updates: Updates | None = None

    @classmethod
    def of(cls, probes, dtypes, path=None, updates=None):
        """From probes that are not rounded yet."""
        return cls([probe.rounded(dtype) for dtype in dtypes for probe in probes], tuple(dtypes), path, updates)


def name_of(key):
    """A key, a tuple of words, as the name of an array in a file."""
    return "|".join(key)


def key_of(name):
    """The key that `name_of` made a name of."""
    return tuple(name.split("|"))


def pack(question):
    """A `Question` as a file holds it: (arrays, meta)."""
    path, updates = question.path, question.updates
    arrays: dict = {}
    cases = []
    for case in question.cases:
        about = {"name": case.name, "dtype": case.dtype, "coarse": case.coarse}
        cases.append({**about, "padding": case.padding, "exact": case.exact})
        held = {"images": case.images, "labels": case.labels, **case.parameters, **case.inputs}
        arrays |= {name_of((case.name, case.dtype, name)): value for name, value in held.items()}
    if path is not None:
        held = {"images": path.images, "labels": path.labels, **path.parameters}
        arrays |= {name_of((PATH, name)): value for name, value in held.items()}
    if updates is not None:
        held = {"start": updates.start, "gradients": updates.gradients, "rates": updates.rates}
        arrays |= {name_of((UPDATES, name)): value for name, value in held.items()}
    more = {"path": path and {"padding": path.padding}, "updates": updates and updates.settings}
    return arrays, {"cases": cases, "dtypes": list(question.dtypes), **more}


def unpack(arrays, meta):
    """The `Question` that `pack` made a file of."""
    held: defaultdict = defaultdict(dict)
    for name, value in arrays.items():
        *key, last = key_of(name)
        held[tuple(key)][last] = value
    cases = [_probe(case, held[case["name"], case["dtype"]]) for case in meta["cases"]]
    path = Path(PATH, *_parts(held[PATH,])[:3], **meta["path"]) if meta["path"] else None
    updates = Updates(**held[UPDATES,], settings=meta["updates"]) if meta["updates"] else None
    return Question(cases, tuple(meta["dtypes"]), path, updates)


def _probe(case, held):
    images, labels, parameters, inputs = _parts(held)
    more = {"exact": case["exact"], "coarse": case["coarse"], "inputs": inputs}
    return Probe(case["name"], "", images, labels, parameters, case["padding"], **more)


def _parts(held):
    """(images, labels, parameters, the rest)."""
    parameters = {name: held.pop(name) for name in PARAMETERS}
    return held.pop("images"), held.pop("labels"), parameters, held


def read_question(path):
    """The `Question` in a file that holds what `pack` gave."""
    return unpack(*read_arrays(path))


def pack_answer(found, noted):
    """(arrays, meta) of what `observe` found and noted, as a file holds them."""
    by_name = {kind: {name_of(key): text for key, text in noted[kind].items()} for kind in NOTES}
    return {name_of(key): value for key, value in found.items()}, {**noted, **by_name}


def unpack_answer(arrays, meta):
    """(found, noted) of what `pack_answer` gave."""
    by_key = {kind: {key_of(name): text for name, text in meta.get(kind, {}).items()} for kind in NOTES}
    return {key_of(name): value for name, value in arrays.items()}, {**meta, **by_key}


def by_case(found):
    """What is under (probe, dtype, ...), by (probe, dtype) and then the rest; nothing for one that is not there."""
    sorted_out: defaultdict = defaultdict(dict)
    for (probe, dtype, *rest), value in found.items():
        sorted_out[probe, dtype][tuple(rest)] = value
    return sorted_out
