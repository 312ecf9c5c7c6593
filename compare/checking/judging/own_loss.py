"""The gradients of a network held to the derivative of its own loss, and its training step to its gradients."""

import numpy as np

from compare.checking.calling.arrays import named
from compare.checking.judging import derivative
from compare.checking.judging.derivative import UndecidedError

SAME = 1e-7  # of the largest: a step is off by what its own rounding is to the rate, 2^-53, and by no more than that
WORDS = {"": "", "N": "N times as large, as of a sum over the batch", "1/N": "divided by N once more"}
RATES = (0.5, 2.0**-10)  # powers of two: at the second weights that have moved are nearly what they were
CLOSE = 1e-6  # of factors, which are sums of many numbers


class Held:
    """Gradients of several batches held to the derivatives of one loss.

    Args:
        gradients: of each batch {weight: array}. directions: the same, in which the loss is derived.
        derived: (batch, weights) -> the derivative of the loss along the directions of these weights together.
        counts: how many images each batch has. weights: {weight: array}.
    Attributes:
        factor: what all gradients that agree are to be divided by: "", "N", "1/N", or a number as text.
        agrees: weights. decays: {weight: what of the weight itself is added to its gradient}.
        differs: {weight: what is seen}. loose: whether only an epsilon is between.
    Raises:
        UndecidedError: a derivative cannot be told, or the loss has none.
    """

    def __init__(self, gradients, directions, derived, counts, weights):
        self.gradients, self.directions, self.derived, self.weights = gradients, directions, derived, weights
        self.factor, self.loose = "", False
        self.agrees: list = []
        self.decays: dict = {}
        self.differs: dict = {}
        self.numbers, paths = range(len(counts)), tuple(gradients[0])
        self.factors = {"": [1.0] * len(counts), "N": [*map(float, counts)], "1/N": [1.0 / n for n in counts]}
        together = [derived(number, paths) for number in self.numbers]
        if not all(together):
            raise UndecidedError("the loss does not change with the weights")
        for name, each in self.factors.items():
            if not self.agrees and self._outcome(paths, each, together) == ("agrees", ""):
                self.factor, self.agrees = name, [*paths]

    @property
    def score(self):
        """How many weights agree, whatever else is added to their gradients."""
        return len(self.agrees) + len(self.decays)

    def apart(self):
        """Look at each weight by itself: what did not agree together."""
        paths = tuple(self.gradients[0])
        alone = {path: [self.derived(number, (path,)) for number in self.numbers] for path in paths}
        for path, found in alone.items():
            along = self._along(path)
            if all(found) and all(along):
                times = along[0] / found[0]
                self.factors.setdefault(f"{times:.6g}", [times] * len(found))
        best = -1
        for name, each in self.factors.items():
            seen = {path: self._outcome((path,), each, found) for path, found in alone.items()}
            decays = {}
            for path in paths:
                if seen[path] != ("agrees", "") and (decay := self._decay(path, each, alone[path])):
                    decays[path] = decay
            right = [p for p in paths if seen[p][0] == "agrees" and p not in decays and any(alone[p])]
            if len(right) + len(decays) > best and (name in WORDS or len(right) > 1):  # one has always its own factor
                best = len(right) + len(decays)
                self.factor, self.agrees, self.decays = name, right, decays
                self.loose = any(seen[path][1] for path in right)
                self.differs = {p: seen[p][1] for p in paths if seen[p][0] == "differs" and p not in decays}
        return self

    def _decay(self, path, factors, found):
        """What of the weight itself is added to its gradient; 0 where it is not the same each time."""
        of = [float((v[path] * self.weights[path]).sum()) for v in self.directions]
        if not all(of):
            return 0.0
        more = [a / f - d for a, f, d in zip(self._along(path), factors, found, strict=True)]
        decays = np.array(more) / of
        return float(decays[0]) if np.allclose(decays, decays[0], rtol=1e-4) else 0.0

    def _along(self, path):
        return [float((g[path] * v[path]).sum()) for g, v in zip(self.gradients, self.directions, strict=True)]

    def _outcome(self, paths, factors, derivatives):
        """What `derivative.verdict` says of several weights together, or of one, whose gradients are so much larger."""
        found = [
            np.concatenate([np.ravel(g[path]) / factor for path in paths])
            for g, factor in zip(self.gradients, factors, strict=True)
        ]
        along = [np.concatenate([np.ravel(v[path]) for path in paths]) for v in self.directions]
        return derivative.verdict(found, along, derivatives)


def step(moves, gradients, weights, rates):
    """(what is wrong or "", what is no plain SGD or "") of a training step, beside the gradients of the same batch.

    Args:
        moves: for each of two rates {weight: what it moved by, divided by the rate}.
        gradients: {weight: its gradient}. weights: {weight: array}, before the step.
        rates: RATES; None where it was told none, and has its own.
    """
    moved, slowly = moves
    times: dict = {}
    more: dict = {}
    other = []
    gradients = {path: g for path, g in gradients.items() if np.isfinite(g).all()}  # else no step can be right
    for path in gradients:
        if not all(np.isfinite(each[path]).all() for each in moves):
            return f"{named(path)} is no number after one step, which its gradient is", ""
    for path, g in gradients.items():
        if not g.any() and not moved[path].any():
            continue
        factor, decay = _parts(moved[path], g, weights[path])
        if factor is None:
            other.append(path)
        else:
            times[path] = factor
            more |= {path: decay} if decay else {}
    one = bool(rates) and any(_is(each, 1) for each in times.values())
    usual = (
        1.0 if one else max(times.values(), key=lambda one: sum(_is(each, one) for each in times.values()), default=0)
    )
    for path, each in times.items():
        if each < 0:
            return f"{named(path)} moves uphill, by {each:.6g} times the rate times its gradient", ""
    still = [path for path, g in gradients.items() if g.any() and not moved[path].any()]
    if still and len(still) < len(gradients):
        return f"{named(still[0])} stays as it was, whatever its gradient is", ""
    if rates and times and not other:
        both = [(times[path], _parts(slowly[path], gradients[path], weights[path])[0] or 0) for path in times]
        if all(_is(each, rate) for pair in both for each, rate in zip(pair, rates, strict=True)):
            return "the weights move by their gradients times the square of the rate", ""
        if all(_is(each * rate, 1) for pair in both for each, rate in zip(pair, rates, strict=True)):
            return "the weights move by their gradients, whatever the rate is", ""
    large = [path for path, each in times.items() if usual and each / usual > 1 + CLOSE]
    if large and sum(_is(each, usual) for each in times.values()) >= 2 - one:
        return f"{named(large[0])} moves by {times[large[0]] / usual:.6g} times the rate times its gradient", ""
    if other and one and all(_off(slowly[p], gradients[p]) < _off(moved[p], gradients[p]) / 100 for p in other):
        return f"{named(other[0])} moves by a gradient that went back through weights that had moved already", ""
    if rates and (other or more or any(not _is(each, 1) for each in times.values())):
        seen = [
            f"{named(p)} by {times[p]:.3g} times the rate times its gradient" for p in times if not _is(times[p], 1)
        ]
        seen += [f"{named(p)} with {decay:.3g} times the weight itself" for p, decay in more.items()]
        seen += [f"{named(path)} otherwise" for path in other]
        return "", f"is not plain SGD, as with momentum, decay or clipping: {'; '.join(seen)}"
    return "", ""


def _off(found, wanted):
    return np.abs(found - wanted).max()


def _is(found, wanted):
    return bool(wanted) and abs(found / wanted - 1) < CLOSE


def _parts(moved, gradient, weight):
    """(factor of the gradient, factor of the weight) that a move is the sum of; (None, 0) where it is no such sum."""
    for parts in ([gradient], [gradient, weight]):
        matrix = np.stack([part.ravel() for part in parts], axis=1)
        found = np.linalg.lstsq(matrix, moved.ravel(), rcond=None)[0]
        sum_of = matrix @ found
        if np.allclose(sum_of, moved.ravel(), rtol=0, atol=SAME * max(np.abs(gradient).max(), np.abs(sum_of).max())):
            return float(found[0]), float(found[1]) if len(found) > 1 else 0.0
    return None, 0.0
