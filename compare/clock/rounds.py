"""What rounds say: a ratio of two times, how sure it is, and whether it is a difference.

The unit is the process. Timings within one share its memory layout, its processor and its moment, so they are no
independent evidence; each process counts once, with its median. Two that ran in the same round are a pair.
"""

import math
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
WIDEST = 0.10  # width of an interval, as a fraction of the ratio, above which it is called unstable
SAME, SLOWER, FASTER = "no difference", "slower", "faster"


class Ratio(NamedTuple):
    """A time over that of a reference, its 95% interval (not-a-number for fewer than two rounds), and the rounds."""

    value: float
    low: float
    high: float
    rounds: int

    @property
    def width(self):
        """Of the interval, as a fraction of the ratio."""
        return (self.high - self.low) / self.value

    @property
    def floor(self):
        """How far the interval reaches from 1 at most, as a fraction: of the same against the same, the noise floor."""
        return math.exp(max(abs(math.log(self.low)), abs(math.log(self.high)))) - 1


def paired_ratio(seconds, reference):
    """`Ratio` of paired rounds: Student's t on the differences of the logarithms.

    Args:
        seconds, reference: {round: seconds}; rounds that only one of them has are left out.
    """
    from scipy import stats

    both = sorted(seconds.keys() & reference.keys())
    if not both:
        return Ratio(math.nan, math.nan, math.nan, 0)
    logs = np.log([seconds[turn] / reference[turn] for turn in both])
    middle, n = logs.mean(), len(logs)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * logs.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half), n)


def difference(ratio, floor=math.nan):
    """SAME where the interval holds 1 or the ratio lies within the noise floor, else SLOWER or FASTER.

    "" where there is no interval: one round cannot tell.
    """
    if math.isnan(ratio.low):
        return ""
    within = abs(math.log(ratio.value)) <= math.log1p(floor)  # False where the floor is not known
    if ratio.low <= 1 <= ratio.high or within:
        return SAME
    return SLOWER if ratio.value > 1 else FASTER


def change(now, then):
    """`Ratio` of two `Ratio`s of different runs: Welch's t interval on the difference of their logarithms."""
    from scipy import stats

    if min(now.rounds, then.rounds) < 2:
        return Ratio(now.value / then.value, math.nan, math.nan, min(now.rounds, then.rounds))
    # the variance of each mean, back from the interval that was written down
    errors = []
    for ratio in (now, then):
        half = math.log(ratio.high / ratio.low) / 2
        errors.append((half / stats.t.ppf((1 + CONFIDENCE) / 2, ratio.rounds - 1)) ** 2)
    total = sum(errors)
    middle = math.log(now.value / then.value)
    half = 0.0
    if total > 0:
        freedom = total**2 / sum(e**2 / (r.rounds - 1) for e, r in zip(errors, (now, then), strict=True))
        half = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * math.sqrt(total)
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half), min(now.rounds, then.rounds))
