"""Timing inside a cell: one process, one implementation, every task and batch size. No pandas here, which counts."""

import contextlib
import functools
import itertools
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compare.cells import cells
from compare.cells.limits import BATCHES
from compare.clock import threads

TASKS = ("predict", "train")
SLOW = 1.0  # seconds: a call that takes longer is timed once
LEAST = 5  # samples of any other


class Timing(NamedTuple):
    """Of one kind of call: its first, in seconds as they passed; the others, (samples,) seconds a call.

    `seconds` are those in which the process had a processor or waited for something else than one: what it waited while
    others had it is left out, where the system says so (Linux) and the process has one thread to use. `waited` is the
    fraction that was left out, `processors` the processor time spent in a second of the rest.
    """

    first: float
    seconds: np.ndarray
    waited: float
    processors: float


def measure(spec, implementation):
    """All that one process measures: ({"first|task|batch size" and so on: array}, threads and memory).

    "seconds|..." and the others as in `Timing`; "conversion|..." seconds a call for what goes into the framework and
    what comes out of it alone, where these are not NumPy arrays.
    """
    given, _ = cells.read_arrays(spec["inputs"])
    images, labels = given["images"], given["labels"]
    arrays, model = {}, None
    for size in spec["batch_sizes"]:
        model = implementation(tuple(map(int, images.shape[1:])), dtype="float32", seed=spec["seed"])
        picked = [np.arange(first, first + size) % len(images) for first in range(0, BATCHES * size, size)]
        batches = [(np.ascontiguousarray(images[p]), labels[p]) for p in picked]
        calls = {"predict": [functools.partial(model.predict, batch[0]) for batch in batches]}
        if hasattr(model, "step"):
            # a small rate: thousands of steps on few images must not drive the numbers to where arithmetic is slow
            calls["train"] = [functools.partial(model.step, *batch, 1e-3) for batch in batches]
        for task, functions in calls.items():
            timing = time_calls(functions, spec["samples"], spec["sample_seconds"], spec["threads"])
            for name, value in timing._asdict().items():
                arrays[f"{name}|{task}|{size}"] = np.atleast_1d(value)
        for task, functions in conversions(spec["package"], batches).items():
            timing = time_calls(functions, spec["samples"] // 4, spec["sample_seconds"], spec["threads"])
            arrays[f"conversion|{task}|{size}"] = timing.seconds
    return arrays, {"threads": threads.seen(spec["package"], model), "peak_bytes": peak_memory()}


def time_calls(functions, samples, seconds, threads=1):
    """A `Timing`: each sample is the mean of calls, of one function after the other, that last about `seconds`.

    Where a call lasts longer than that, samples end early, once there are LEAST of them and all together last as long
    as `samples` should; one that takes SLOW seconds, the first (which may compile) apart, is timed once.
    """
    turns = itertools.cycle(functions)
    first = _time(turns, 1)
    found: list[tuple[float, float, float]] = []
    with _waiting(threads) as waiting:
        calls, once = 1, _sample(turns, 1, waiting)
        if min(first, once[0]) > SLOW:
            found.append(once)
        else:
            while (own := _sample(turns, calls, waiting)[0]) < 10 * seconds:  # the warm-up as well: caches, clock
                calls *= 2
            calls = max(1, round(calls * seconds / own))
            enough = samples * seconds if calls == 1 else np.inf
            while len(found) < min(LEAST, samples) or (
                len(found) < samples and sum(own for own, _, _ in found) < enough
            ):
                found.append(_sample(turns, calls, waiting))
    own, elapsed, busy = np.array(found).T
    return Timing(first, own / calls, 1 - own.sum() / elapsed.sum(), busy.sum() / own.sum())


def _sample(turns, calls, waiting):
    """(own, elapsed, busy) seconds of some calls: see `Timing`."""
    before, begin = waiting(), time.process_time()
    elapsed = _time(turns, calls)
    busy = time.process_time() - begin
    waited = waiting() - before
    # threads of its own wait for each other too, but never so long that less is left than they worked
    return min(elapsed, max(elapsed - waited, busy)), elapsed, busy


@contextlib.contextmanager
def _waiting(threads):
    """A function: seconds for which threads of this process were ready, and others had the processor, until now.

    From the scheduler's own account, as /proc has it on Linux; 0 elsewhere, and for several threads, which wait side by
    side.
    """
    with contextlib.ExitStack() as held:
        files = []
        for task in Path("/proc/self/task").glob("*/schedstat") if threads == 1 else ():
            with contextlib.suppress(OSError):  # the thread has ended
                files.append(held.enter_context(task.open("rb", buffering=0)))

        def waiting():
            total = 0
            for file in files:
                with contextlib.suppress(ProcessLookupError):  # likewise
                    total += int(os.pread(file.fileno(), 80, 0).split()[1])
            return total * 1e-9

        yield waiting


def _time(turns, calls):
    begin = time.perf_counter()
    for function in itertools.islice(turns, calls):
        function()
    return time.perf_counter() - begin


def conversions(package, batches):
    """By task: functions that take a batch into the framework, and of a prediction the result back; {} for NumPy.

    As the adapters do it: images and labels go in; (N, 10) probabilities come out, the loss is one number.
    """
    into, out = _border(package)
    if into is None:
        return {}
    result = into(np.zeros((len(batches[0][0]), 10), np.float32))
    return {
        "predict": [lambda images=images: (into(images), out(result)) for images, _ in batches],
        "train": [lambda batch=batch: [into(array) for array in batch] for batch in batches],
    }


def _border(package):
    """(array to framework, framework to array), or (None, None) where the framework takes arrays as they are."""
    if package == "torch":
        import torch

        return torch.from_numpy, lambda tensor: tensor.numpy()
    if package == "tensorflow":
        import tensorflow

        return tensorflow.constant, lambda tensor: tensor.numpy()
    if package == "jax":
        import jax

        return lambda array: jax.block_until_ready(jax.numpy.asarray(array)), np.asarray
    return None, None


def peak_memory():
    """Bytes of memory that this process held at most."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone: getrusage counts what the process was before it began as well
        kilobytes = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kilobytes) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
