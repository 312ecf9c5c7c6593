"""Threads: what each library in this process says it uses, and whether that is what was asked for."""

import os
import sys
from typing import Any

OVER = 1.1  # processors kept busy, as a multiple of the threads asked for: clocks are read at slightly different times


def seen(package, model=None):
    """{library: number of threads it says it uses}, in the process that timed, after it did: BLAS, OpenMP, `package`.

    JAX has no number to set or to ask for: XLA takes as many threads as there are processors that the process may run
    on, which is what `compare.contenders.with_jax` limits.
    """
    import threadpoolctl

    found: dict[str, int] = {}
    for library in threadpoolctl.threadpool_info():
        name = f"{library['internal_api']} ({library['user_api']})"
        found[name] = max(found.get(name, 0), library["num_threads"])
    framework: Any = sys.modules.get(package)
    if package == "torch":
        found["torch, within operations"] = framework.get_num_threads()
        found["torch, between operations"] = framework.get_num_interop_threads()
    if package == "tensorflow":
        found["tensorflow, within operations"] = framework.config.threading.get_intra_op_parallelism_threads()
        found["tensorflow, between operations"] = framework.config.threading.get_inter_op_parallelism_threads()
    if session := getattr(model, "session", None):
        options = session.get_session_options()
        found["onnxruntime, within operations"] = options.intra_op_num_threads
        found["onnxruntime, between operations"] = options.inter_op_num_threads
    if package == "jax" and hasattr(os, "sched_getaffinity"):
        found["jax, processors it may run on"] = len(os.sched_getaffinity(0))
    return found


def mismatches(asked, by_implementation, processors):
    """Lines: where what a library says, or the processors it kept busy, is not what was asked for.

    Args:
        asked: threads of each.
        by_implementation: what `seen` gave, by name.
        processors: kept busy at most, by name.
    """
    lines = []
    for name, found in by_implementation.items():
        other = [f"{library} {number}" for library, number in found.items() if number != asked]
        if other:
            lines.append(f"{name}: {asked} thread(s) asked for, read back: {', '.join(other)}")
        if processors.get(name, 0) > OVER * asked:
            lines.append(f"{name}: {asked} thread(s) asked for, {processors[name]:.2f} processors kept busy")
    return lines
