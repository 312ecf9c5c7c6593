"""The training path judged step by step: each from where the implementation itself stood before it."""

import numpy as np

from compare.contract import PARAMETERS
from compare.verdict import arbiter, judge
from compare.verdict.allowances import Rounding, Stages, update, whole_pass
from compare.verdict.probes import LEARNING_RATE


def judge_path(implementation, path, dtype, observed, raised):
    """Rows of the training path, each step judged from where the implementation itself stood before it.

    A step is right when it goes from its own parameters to where plain SGD goes from there, within the rounding of one
    step, and its loss is the loss there. A path of such steps is right whatever distance the two paths reach: that
    distance, to the arbiter's own path, is reported beside it.
    """
    rows = []
    states = {name: observed.get(f"path|{name}") for name in PARAMETERS}
    losses = observed.get("path|loss")
    if losses is None or any(state is None for state in states.values()):
        worst = dict.fromkeys(("loss", *PARAMETERS))
        distance = {}
    else:
        worst, distance = _walk(path, dtype, states, losses)
    for quantity, row in worst.items():
        row = row or (judge.failure("raised", raised) if raised else judge.NOT_OFFERED)
        row = row | {
            "implementation": implementation,
            "quantity": f"path_{quantity}",
            "dtype": dtype,
            "probe": path.name,
        }
        row |= {"mode": "run", "stage": "training path", "distance": distance.get(quantity, np.nan)}
        rows.append(row)
    return rows


def _walk(path, dtype, states, losses):
    stages = Stages(arbiter, path.padding, Rounding.of(dtype))
    own = {name: path.parameters[name] for name in PARAMETERS}
    worst = dict.fromkeys(("loss", *PARAMETERS))
    for step in range(len(losses)):
        images, labels = path.images[step].astype(dtype).astype(np.float64), path.labels[step]
        here = {name: state[step].astype(np.float64) for name, state in states.items()}
        if not all(np.isfinite(value).all() for value in here.values()):
            return {quantity: judge.failure("differs", f"not finite at step {step}") for quantity in worst}, {}
        right = whole_pass(stages, images, labels, here)
        for name in PARAMETERS:
            expected = update(here[name], right[f"d_{name}"], LEARNING_RATE, stages.rounding)
            worst[name] = _worse(
                worst[name], judge.measured(dtype, states[name][step + 1], lambda e=expected: e, None), step
            )
        worst["loss"] = _worse(
            worst["loss"], judge.measured(dtype, losses[step], lambda e=right["loss"]: e, None), step
        )
        own = _arbiter_step(path, images, labels, own)
    return worst, {name: float(np.abs(states[name][-1] - own[name]).max()) for name in PARAMETERS}


def _worse(before, now, step):
    if before is None or now["allowance_used"] > before["allowance_used"]:
        return {**now, "note": now["note"] or f"worst at step {step}"}
    return before


def _arbiter_step(path, images, labels, parameters):
    """One float64 step of the arbiter's own path."""
    w, dense_w, bias = (parameters[name] for name in PARAMETERS)
    conv = arbiter.conv(images, w, path.padding)
    pool = arbiter.pool(conv)
    d_logits = arbiter.loss_backward(arbiter.dense(pool, dense_w, bias), labels)
    d_pool, d_dense_w, d_bias = arbiter.dense_backward(pool, dense_w, d_logits)
    d_w = arbiter.conv_backward(images, w, arbiter.pool_backward(conv, d_pool), path.padding)[1]
    gradients = dict(zip(PARAMETERS, (d_w, d_dense_w, d_bias), strict=True))
    return {name: parameters[name] - LEARNING_RATE * gradients[name] for name in PARAMETERS}
