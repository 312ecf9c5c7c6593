"""`record`: the answers of an implementation of this project as files, so that two can be held against each other."""

import tempfile
from pathlib import Path

from compare import contract, files
from compare.cells import cells
from compare.exchange.asking import write_probes
from compare.exchange.layout import SUFFIX, encoded
from compare.exchange.reading import read
from compare.verdict.packing import Question, pack, unpack_answer

LIMIT = 600  # seconds


def record(folder, implementation, form="npy", seed=0):
    """Let an implementation answer the probes in a folder; where there are none, write them first.

    Args:
        folder: of `probes` without answers; or empty, or none.
        implementation: a name of `contract.ENTRIES`.
        form, seed: of the probes, where they are written here.
    Returns:
        How many answers were written.
    Raises:
        ValueError: there are answers already; what `reading.read` raises.
        contract.UndecidedError, contract.BrokeDownError: it gave no answer.
    """
    folder = Path(folder)
    if implementation not in contract.ENTRIES:
        raise ValueError(contract.unknown("implementation", implementation, contract.ENTRIES))
    if not folder.is_dir() or not any(folder.iterdir()):
        write_probes(folder, form, seed)
    recording = read(folder)
    if recording.found:
        raise ValueError(f"{folder}: found answers in it, wanted probes alone")
    cases = [probe for asked in recording.cases for probe in asked.by_dtype.values()]
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as place:
        inputs = Path(place) / "probes.npz"
        arrays, meta = pack(Question(cases, tuple(recording.asked), recording.path))
        cells.write_result(inputs, meta, arrays)
        spec = {"task": "parity", "inputs": str(inputs), "threads": 1, "limit": LIMIT, "implementation": implementation}
        results = cells.run([spec])
    contract.note_missing(results, by_name=True)
    contract.demand(results)
    found, noted = unpack_answer(results[0].arrays, results[0].meta)
    if noted["raised"]:
        raise contract.BrokeDownError(f"{implementation}: raised: {next(iter(noted['raised'].values()))}")
    for (case, dtype, mode, quantity), array in found.items():
        path = folder / f"{case}.{dtype}" / mode / f"{quantity}{SUFFIX[recording.form]}"
        files.write_bytes(path, encoded(array, recording.form))
    return len(found)
