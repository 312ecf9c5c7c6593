"""optax, the optimisers of JAX, under the names and settings that all here share, along given gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

# how they differ from the papers: https://optax.readthedocs.io/en/latest/api/optimizers.html
CONVENTIONS = {"rate": "outside"}


def made(name, rate, momentum=0.9, **settings):
    """The optimiser "sgd", "momentum", "nesterov", "adam" or "adamw" at a rate, a number or a function of the step.

    Adam and AdamW take beta1, beta2 and epsilon together, AdamW weight_decay; else optax's defaults hold.
    """
    if name == "sgd":
        return optax.sgd(rate)
    if name in ("momentum", "nesterov"):
        return optax.sgd(rate, momentum=momentum, nesterov=name == "nesterov")
    native = {}
    if settings:
        native = {"b1": settings.pop("beta1"), "b2": settings.pop("beta2"), "eps": settings.pop("epsilon"), **settings}
    return (optax.adamw if name == "adamw" else optax.adam)(rate, **native)


def updates(name, settings, start, gradients, rates):
    """Parameters (S, ...) after each of S steps from `start` along given gradients (S, ...), at given rates (S,)."""
    of_step = jnp.asarray(rates, start.dtype)
    optimiser = made(name, lambda step: of_step[step], **settings)

    @jax.jit
    def moved(parameter, state, gradient):
        by, state = optimiser.update(gradient, state, parameter)
        return optax.apply_updates(parameter, by), state

    parameter, found = jnp.asarray(start), []
    state = optimiser.init(parameter)
    for gradient in gradients:
        parameter, state = moved(parameter, state, jnp.asarray(gradient))
        found.append(np.array(parameter))
    return np.stack(found)
