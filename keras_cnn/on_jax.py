"""What Keras leaves to its backend, on JAX: threads and gradients. Importing it lets JAX compute in float64."""

import os

import jax

jax.config.update("jax_enable_x64", True)  # else float64 is silently float32

LACKS: dict[str, str] = {}  # why it does not compute in a dtype, by its name


def configure(threads):
    """Leave XLA as many processors as it may use threads: it counts those it may run on when it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def gradients(function, given, upstream):
    """Of sum(upstream * function(given)), with respect to each array of the dict `given`."""
    (found,) = jax.vjp(function, given)[1](upstream)
    return found
