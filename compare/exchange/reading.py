"""What a program wrote, read as what a cell would have observed of it. Nothing of it is believed, or run."""

import difflib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compare import plain, plain_files
from compare.cells import forms, limits
from compare.contract import PARAMETERS
from compare.exchange.layout import GIVEN, HEADER, LABELS, MANIFEST, SUFFIX, VERSION, folders, read_answer
from compare.verdict import check_probes, probes

LARGEST = 1 << 20  # bytes of a manifest; one of both dtypes has 60,000
FORM = {
    "schema_version": int,
    "command": str,
    "seed": int,
    "format": frozenset(SUFFIX),
    "dtypes": [frozenset(probes.DTYPES)],
    "cases": [dict],
    "files": {str: {"sha256": str}},
}
LAST_BITS = 1e-4  # relative: any other probe is further away than that
SHOWN = 5  # names of files that nobody asked for


@dataclass(frozen=True)
class Asked:
    """A probe as it was given, which was rounded to each dtype when it was written: `probes.Probe`s by dtype."""

    name: str
    by_dtype: dict

    def rounded(self, dtype):
        """The probe in a dtype."""
        return self.by_dtype[dtype]


@dataclass(frozen=True)
class Recording:
    """A folder of probes with what a program wrote beside them.

    form: "npy" or "raw". asked: dtypes of the probes.
    cases: `Asked`, of all probes; path: `probes.Path`.
    found: arrays by key, as of `verdict.observe`.
    dtypes: those in which anything was written, or else all that were asked for.
    gaps: by probe, what it lacks though another one has it.
    remarks: about files that nobody asked for.
    """

    folder: Path
    form: str
    asked: list[str]
    cases: list[Asked]
    path: probes.Path
    found: dict
    dtypes: list[str]
    gaps: dict[str, str]
    remarks: list[str]


def read(folder):
    """The `Recording` in a folder.

    Raises:
        ValueError: no folder of `probes`, one of another version, a probe that was changed, a damaged file; the message
            begins with the path.
        OSError: something cannot be read.
    """
    folder = Path(folder)
    about = _manifest(folder)
    suffix, dtypes = SUFFIX[about["format"]], [each for each in probes.DTYPES if each in about["dtypes"]]
    asked = folders(about["seed"], dtypes)
    hashes = {name: entry["sha256"] for name, entry in about["files"].items()}
    wanted = {f"{each.name}/{GIVEN}/{name}{suffix}" for each in asked for name in each.given}
    if about["cases"] != [each.about for each in asked] or hashes.keys() != wanted:
        raise ValueError(
            f"{folder / MANIFEST}: found other probes than this version's; write them anew: python -m compare probes"
        )
    found, given, remarks = {}, {}, []
    for each in asked:
        given[each.name] = {
            name: _given(folder, f"{each.name}/{GIVEN}/{name}{suffix}", about, array, hashes)
            for name, array in each.given.items()
        }
        for (mode, quantity), shape in each.answers.items():
            path = folder / each.name / mode / f"{quantity}{suffix}"
            if os.path.lexists(path):
                found[each.probe, each.dtype, mode, quantity] = read_answer(path, about["format"], each.dtype, shape)
        remarks += _strange(folder, each, suffix)
    answered = sorted({dtype for _, dtype, *_ in found})
    nothing = [f"nothing is written in {dtype}" for dtype in dtypes if dtype not in answered]
    return Recording(
        folder,
        about["format"],
        dtypes,
        _cases(asked, given),
        _path(asked, given, check_probes.cases(about["seed"])[1].name),
        found,
        answered or dtypes,
        _gaps(asked, found),
        nothing + _few(remarks),
    )


def _manifest(folder):
    path = folder / MANIFEST
    try:
        content = plain_files.read_regular(path, LARGEST)
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder}: found no {MANIFEST} in it, wanted a folder that python -m compare probes wrote"
        ) from error
    try:
        about = json.loads(content)
    except (ValueError, RecursionError) as error:  # also of bytes that are no UTF-8
        raise ValueError(f"{path}: found no JSON ({plain.line(error, 100)})") from error
    if not forms.fits(about, {"schema_version": int, "command": frozenset(["probes"])}):
        raise ValueError(f"{path}: found no manifest of probes, wanted what python -m compare probes wrote")
    if about["schema_version"] != VERSION:
        raise ValueError(f"{path}: found version {about['schema_version']}, wanted {VERSION}: write the probes anew")
    if not (forms.fits(about, FORM) and about["dtypes"] and 0 <= about["seed"] <= limits.SEED):
        raise ValueError(f"{path}: found a damaged manifest, wanted it as python -m compare probes wrote it")
    return about


def _given(folder, name, about, like, hashes):
    """An array that was given, to the bit as it was written; `like` is what it should be.

    From machine to machine that differs in last bits, since products of arrays add up in another order.
    """
    path = folder / name
    content = plain_files.read_regular(path, like.nbytes + HEADER)
    if hashlib.sha256(content).hexdigest() != hashes[name]:
        raise ValueError(f"{path}: found it changed, wanted the probe as it was written: its SHA-256 is another")
    try:
        little = like.dtype.newbyteorder("<")
        array = np.frombuffer(content, little) if about["format"] == "raw" else plain_files.npy_array(content)
        array = array.reshape(like.shape)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if array.dtype != little:
        raise ValueError(f"{path}: found dtype {array.dtype}, wanted {like.dtype}")
    size = float(np.abs(like).max())
    if not (
        np.array_equal(array, like) if like.dtype == LABELS else np.allclose(array, like, LAST_BITS, LAST_BITS * size)
    ):
        raise ValueError(f"{path}: found another probe than that of seed {about['seed']}: write the probes anew")
    return array.astype(np.int64 if like.dtype == LABELS else like.dtype)


def _cases(asked, given):
    by_name: dict = {}
    for each in asked:
        if not each.steps:
            inputs = dict(given[each.name])
            images, labels = inputs.pop("images"), inputs.pop("labels")
            parameters = {name: inputs.pop(name) for name in PARAMETERS}
            probe = probes.Probe(
                each.probe, "", images, labels, parameters, each.padding, exact=each.exact, inputs=inputs
            )
            by_name.setdefault(each.probe, {})[each.dtype] = probe
    return [Asked(name, by_dtype) for name, by_dtype in by_name.items()]


def _path(asked, given, name):
    """The training path of the widest dtype: a narrower one is the same, rounded."""
    widest = [each for each in asked if each.steps][-1]
    held = given[widest.name]
    parameters = {name: held[name] for name in PARAMETERS}
    return probes.Path(name, held["images"], held["labels"], parameters, widest.padding)


def _gaps(asked, found):
    """By probe, what it lacks of what another folder has; a dtype in which nothing was written is told elsewhere."""
    lacks: dict = {}
    anywhere, dtypes = {tuple(call) for _, _, *call in found}, {dtype for _, dtype, *_ in found}
    for each in (each for each in asked if each.dtype in dtypes):
        missing = [call for call in each.answers if call in anywhere and (each.probe, each.dtype, *call) not in found]
        if missing:
            mode, quantity = missing[0]
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            lacks.setdefault(each.probe, []).append(f"{each.dtype} {mode}/{quantity}{more}")
    return {probe: f"not written, though other folders have it: {'; '.join(parts)}" for probe, parts in lacks.items()}


def _strange(folder, each, suffix):
    """Remarks on what lies where answers do, and is none, with the nearest name that is one."""
    found = []
    for mode in each.modes:
        known = [f"{quantity}{suffix}" for of_mode, quantity in each.answers if of_mode == mode]
        place = folder / each.name / mode
        for name in sorted(os.listdir(place)) if place.is_dir() else ():  # noqa: PTH208 - names are all there is to it
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
                shown = plain.line(name, 100)
                found.append(f"{each.name}/{mode}/{shown} is not read: no such name; the nearest is {near}")
    return found


def _few(remarks):
    more = [f"and {len(remarks) - SHOWN} more files are not read"] if len(remarks) > SHOWN else []
    return [*remarks[:SHOWN], *more]
