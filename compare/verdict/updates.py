"""Optimisers judged alone: along the same gradients for all, each step from where the implementation stood before it.

What an optimiser remembers depends on the gradients alone, and these are given to the bit; so its velocity or moments
are known, and how far rounding may carry them follows by the same recurrence. A step is then right if it leads from the
implementation's own parameters where the formula leads, within the rounding of the remembered and of that one step.

Every operation of a formula, in any of its usual forms (fused, as an interpolation, with the rate taken in first or
last, the powers of beta in the arithmetic judged), rounds by at most u, the unit roundoff, of its result. These are
added up, rounded up to whole counts: no probability, so that a right one may use all of its allowance. Products of n
such errors are within n * u / (1 - n * u) (Higham, "Accuracy and stability of numerical algorithms", lemma 3.1). Where
numbers below the smallest normal one are taken for 0, as TensorFlow and XLA do, each operation may lose that much.
"""

from dataclasses import dataclass, replace

import numpy as np

from compare.graph import OPTIMISERS, PARAMETERS, STAGE_OF
from compare.verdict import arbiter, judge
from compare.verdict.allowances import FUNCTION_ULPS, Bounded, Rounding
from compare.verdict.expected import NotReached
from compare.verdict.network import Network, descend
from compare.verdict.probes import LEARNING_RATE

UPDATES = "updates"  # stands where a probe's name would
# Far from all defaults, so that each setting shows, and epsilon in the midst of the gradients; of few bits, since Keras
# on TensorFlow rounds settings to float32 in float64 too, which a distance at own defaults shows.
MOMENTUM = {"momentum": 0.8125}
MOMENTS = {"beta1": 0.75, "beta2": 0.9375, "epsilon": 2.0**-10}
EQUAL = {
    "sgd": {},
    "momentum": MOMENTUM,
    "nesterov": MOMENTUM,
    "adam": MOMENTS,
    "adamw": {**MOMENTS, "weight_decay": 0.125},
}
# of the papers, and of PyTorch where a paper has none: what own defaults are measured from
USUAL = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}
# what frameworks define differently: the first of each is the paper's
CONVENTIONS = {
    "rate": {"inside": "rate inside the velocity", "outside": "rate outside the velocity"},
    "epsilon": {"corrected": "epsilon beside the corrected root", "uncorrected": "epsilon beside the uncorrected root"},
}
MOST = 1000  # roundings that one number depends on: ten in each of 100 steps
FLUSHED = 8  # operations of one formula in one step that may each lose a number below the smallest normal one
CONCERNS = {"momentum": "rate", "nesterov": "rate", "adam": "epsilon", "adamw": "epsilon"}


@dataclass(frozen=True)
class Updates:
    """What optimisers are given: start (n,), gradients (S, n), rates (S,), and settings by optimiser."""

    start: np.ndarray
    gradients: np.ndarray
    rates: np.ndarray
    settings: dict

    def rounded(self, dtype):
        """The same in a dtype, which the rates are rounded to by whoever uses them."""
        return Updates(self.start.astype(dtype), self.gradients.astype(dtype), self.rates, self.settings)


def make_updates(path, settings=EQUAL):
    """Gradients of a real training by the arbiter along a `Path`, spread over ten powers of ten, and a falling rate.

    Filters, bias and the first weights of the dense layer; of the last two numbers one has no gradient, the other one
    whose square is no number of float32. The rate falls midway: what is inside the velocity and what is not shows then.
    """
    network, own = Network(arbiter), {name: path.parameters[name] for name in PARAMETERS}
    start, gradients = _first(own), []
    for images, labels in zip(path.images, path.labels, strict=True):
        whole = network.whole(images, labels, own, path.padding)
        found = {name: whole[f"d_{name}"] for name in PARAMETERS}
        gradients.append(_first(found))
        own = descend(own, found, LEARNING_RATE, {})
    spread = 10.0 ** -(np.arange(start.size) % 10)
    spread[-2:] = 0, 1e-25
    steps = len(gradients)
    return Updates(start, np.stack(gradients) * spread, np.where(np.arange(steps) < steps // 2, 0.05, 0.01), settings)


def ask(updates, dtype, module, what="update"):
    """What the optimisers of a module do: (parameters by (what, optimiser), messages of what raised by the same).

    The module offers `updates(optimiser, settings, start, gradients, rates)`, the parameters (S, n) after each step.
    `what` is "update", or "default": each with its own settings.
    """
    given, found, raised = updates.rounded(dtype), {}, {}
    for name in OPTIMISERS:
        settings = given.settings[name] if what == "update" else {}
        try:
            found[what, name] = np.array(module.updates(name, settings, given.start, given.gradients, given.rates))
        except Exception as error:  # the code under test may raise anything
            raised[what, name] = f"{type(error).__name__}: {error}"
    return found, raised


def _first(parameters, most=100):
    return np.concatenate([parameters[name].ravel()[:most] for name in PARAMETERS])


def judge_updates(implementation, updates, dtype, observed, raised, conventions):
    """Rows of the optimisers, one each; `distance` and `own_defaults` say how far from the paper's definition they end.

    Args:
        updates: `Updates` in float64.
        observed: parameters (S, n) after each step, by ("update", optimiser), and by ("default", optimiser) where each
            has its own settings.
        raised: messages by the same.
        conventions: which of CONVENTIONS the implementation goes by, where that is not the paper's.
    """
    given = updates.rounded(dtype)
    rows = []
    for name in OPTIMISERS:
        value = observed.get(("update", name))
        row = {"implementation": implementation, "quantity": f"update_{name}", "dtype": dtype, "probe": UPDATES}
        row |= {"mode": "run", "stage": STAGE_OF[f"update_{name}"]}
        motion = Motion.of(name, given, conventions, Rounding.of(dtype))
        row |= judge.measured(
            dtype, value, lambda v=value, m=motion: m.from_own(given.start, v), raised.get(("update", name))
        )
        if row["outcome"] in ("agrees", "differs"):
            row["note"] = row["note"] or definition(name, conventions)
            if value is not None and value.shape == given.gradients.shape:
                row["distance"] = distance(name, given, given.settings[name], value)
            if (own := observed.get(("default", name))) is not None and own.shape == given.gradients.shape:
                row["own_defaults"] = distance(name, given, {}, own)
        rows.append(row)
    return rows


def definition(name, conventions):
    """In words, by which of several definitions an optimiser goes; empty where there is one."""
    kind = CONCERNS.get(name)
    return CONVENTIONS[kind][conventions.get(kind, next(iter(CONVENTIONS[kind])))] if kind else ""


def distance(name, given, settings, value):
    """How far parameters (S, n) end from where the paper's definition leads in float64, at the most; USUAL settings."""
    motion = Motion.of(name, replace(given, settings={name: settings}), {}, Rounding.of("float64"))
    parameter = given.start.astype(np.float64)
    for kept, moved in zip(motion.kept, motion.moved, strict=True):
        parameter = kept * parameter + moved
    return float(np.abs(value[-1] - parameter).max())


@dataclass(frozen=True)
class Motion:
    """A step leads from `parameter` to kept * parameter + moved.

    kept: (S, 1), 1 but for a weight decay.
    moved: (S, n).
    allowance: (S, n), of `moved` by itself.
    sizes: (S, n), of what is added to the parameter, one after the other.
    unit, lost: of the arithmetic judged, a rounding relative to what is rounded, and what may be lost beside it.
    """

    kept: np.ndarray
    moved: np.ndarray
    allowance: np.ndarray
    sizes: np.ndarray
    unit: float
    lost: float

    @classmethod
    def of(cls, name, given, conventions, rounding):
        """Of an optimiser by its formula, in float64."""
        settings = USUAL | given.settings[name]
        gradients, rates = given.gradients.astype(np.float64), given.rates[:, None]
        outside = conventions.get("rate") == "outside"
        u = rounding.unit / (1 - MOST * rounding.unit)
        lost = FLUSHED * rounding.tiny
        kept, of_arithmetic = np.ones_like(rates), (u, lost)
        if name == "sgd":
            moved = -rates * gradients
            return cls(kept, moved, 2 * u * np.abs(moved), np.abs(moved), *of_arithmetic)
        if name in ("momentum", "nesterov"):
            mu = settings["momentum"]
            velocity, slack = _velocities(gradients, rates, mu, outside, u, lost)
            factor = rates if outside else 1.0
            push = gradients if outside else -rates * gradients
            sign = -1.0 if outside else 1.0
            if name == "momentum":
                moved = sign * factor * velocity
                return cls(kept, moved, factor * slack + 2 * u * np.abs(moved), np.abs(moved), *of_arithmetic)
            moved = sign * factor * (mu * velocity + push)
            sizes = factor * (mu * np.abs(velocity) + np.abs(push))
            return cls(kept, moved, factor * mu * slack + 5 * u * sizes, sizes, *of_arithmetic)
        corrected = conventions.get("epsilon", "corrected") == "corrected"
        moved, slack = _adam(gradients, rates, settings, corrected, *of_arithmetic)
        if name == "adamw":
            kept = 1 - rates * settings["weight_decay"]
        return cls(kept, moved, slack, np.abs(moved), *of_arithmetic)

    def from_own(self, start, observed):
        """`Bounded` parameters after each step, each from what was observed before it."""
        if observed.shape != self.moved.shape:  # of which the judge will say so
            return Bounded.exact(self.moved)
        before = np.concatenate([start[None], observed[:-1]]).astype(np.float64)
        if not np.isfinite(before).all():
            raise NotReached(f"not finite after step {int(np.isfinite(before).all(axis=1).argmin())}")
        value = self.kept * before + self.moved
        # two sums, as in `allowances.update`; of a decay the factor and its product, or the product and a sum
        sums = 1 + 2 * (self.kept != 1) + 4 * (1 - self.kept)
        rounds = np.abs(value) + self.sizes + sums * np.abs(before)
        return Bounded(value, self.allowance + self.unit * rounds + self.lost)


def _velocities(gradients, rates, mu, outside, u, lost):
    """(velocities, what rounding has done to them), (S, n): mu * velocity + gradient, or - rate * gradient inside.

    Rounded: mu, the rate, both products and the sum.
    """
    velocity, slack, found = np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1]), []
    for gradient, rate in zip(gradients, rates, strict=True):
        push = gradient if outside else -rate * gradient
        size = 2 * mu * np.abs(velocity) + 2 * np.abs(push)
        velocity = mu * velocity + push
        slack = mu * slack + u * (size + np.abs(velocity)) + lost
        found.append((velocity, slack))
    return (np.stack(each) for each in zip(*found, strict=True))


def _means(values, beta, u, lost):
    """(running means, what rounding has done to them): beta * mean + (1 - beta) * value, or mean + (1 - beta) * (...).

    1 - beta is taken in the arithmetic judged, which leaves an absolute error of u in it.
    """
    mean, slack, found = np.zeros(values.shape[1]), np.zeros(values.shape[1]), []
    for value in values:
        size = 2 * np.abs(mean) + 3 * np.abs(value)
        mean = beta * mean + (1 - beta) * value
        slack = beta * slack + u * (size + np.abs(mean)) + lost
        found.append((mean, slack))
    return (np.stack(each) for each in zip(*found, strict=True))


def _adam(gradients, rates, settings, corrected, u, lost):
    """(movements, how far rounding may carry them), (S, n).

    A quotient q = m / (root + epsilon) is off by what m is, and by what the root is: that one is bounded from below,
    since a small root weighs most.
    """
    epsilon = settings["epsilon"]
    m, m_slack = _means(gradients, settings["beta1"], u, lost)
    v, v_slack = _means(gradients**2, settings["beta2"], u, lost)
    (c1, off1), (c2, off2) = (_correction(settings[beta], len(rates), u) for beta in ("beta1", "beta2"))
    before, after = (c2, 1.0) if corrected else (1.0, np.sqrt(c2))  # the correction within the root, or of the quotient
    root = np.sqrt(v / before)
    low = np.sqrt(np.maximum(v - v_slack, 0) / before) * (1 - off2 / 2 - 2 * u)
    below, least = root + epsilon, (low + epsilon) * (1 - 2 * u)
    factor = after / c1
    moved = factor * m / below
    slack = factor * (m_slack / least + np.abs(m) * (1 / least - 1 / below))
    # the corrections, the rate, and the quotients and products, of which no form has more than six
    relative = off1 + off2 / 2 + 7 * u
    return -rates * moved, rates * (slack + relative * np.abs(moved)) + lost / least


def _correction(beta, steps, u):
    """(1 - beta^t, its relative error), (S, 1): beta rounds, and the power; near 1 the difference makes it large."""
    t = np.arange(1, steps + 1)[:, None]
    power = beta**t
    return 1 - power, u + u * power * (2 * t + FUNCTION_ULPS) / (1 - power)
