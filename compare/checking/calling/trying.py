"""Ways to call code that is not ours are tried: what a failed attempt says, and what no way to call it excuses."""

import re
import sys

import numpy as np

from compare.cells import guard
from compare.checking.calling import arrays
from compare.checking.calling.part import ReturnedNothingError, like
from compare.checking.process.things import CrashedError, HungError, RaisedError, SpentError, StaleError
from compare.contract import NotOfferedError

# What comes of a call that may not be the code's own: what it raises, and what its arrays do not fit. The rest is ours.
ATTEMPT = (RaisedError, StaleError, NotOfferedError, ReturnedNothingError, ValueError, TypeError)
FAILURES = (*ATTEMPT, CrashedError, HungError)


NO_TIME = "the time for finding out how it is called was not enough"


class NotConnectedError(Exception):
    """What looks like a layer, and no way to call it was found.

    stage: that it seems to be. reason: what came of the attempt that got farthest. complaints: `Complaints` of a layer
    that raised in all layouts of a geometry; of several that of the first.
    """

    def __init__(self, stage, reason, complaints=None):
        super().__init__(reason)
        self.stage, self.complaints = stage, complaints or Complaints()


class Complaints:
    """What the code raised, and where, in each of the layouts that a geometry was tried in.

    Where they are the same of two geometries, what sets these apart does not concern what the code complains of.
    """

    def __init__(self):
        self.raised, self.ran = {}, False  # whether an attempt got past the code

    def add(self, layouts, error):
        """Note what came of an attempt; what was not possible at all, since the code was not called, says nothing."""
        if isinstance(error, RaisedError):
            self.raised[layouts] = (error.raised["texts"][0], str(error.raised["frames"]))
        elif not isinstance(error, NotOfferedError):
            self.ran = True

    def same(self, other):
        """Whether the code raised in all that was possible, and the same in what was possible both times."""
        if other is None or self.ran or other.ran:
            return False
        both = self.raised.keys() & other.raised.keys()
        return bool(both) and all(self.raised[each] == other.raised[each] for each in both)


class TroubleError(Exception):
    """What the code did while its ways were tried, and what no way to call it can excuse.

    task: the call, as `observe.TASKS` has it. outcome: "raised", "crashed" or "hung".
    """

    def __init__(self, task, outcome, error):
        super().__init__(str(error))
        self.task, self.outcome, self.error = task, outcome, error


def trouble(stage, task, error):
    """What to raise of a process that ended or did not answer; that its time was spent on trying is no fault of it."""
    if isinstance(error, SpentError):
        return NotConnectedError(stage, error)
    return TroubleError(task, error.outcome, error)


def excuseless(error):
    """Whether no other arguments would have helped: a name that is nowhere defined, or that NumPy no longer has.

    So it is with a limit of the process that was met.
    """
    if isinstance(error, ReturnedNothingError | CrashedError | HungError):
        return True
    if not isinstance(error, RaisedError):
        return False
    bases, text = error.raised["bases"], error.raised["texts"][0]
    named = "NameError" in bases and "UnboundLocalError" not in bases
    return (
        named
        or guard.MET in text
        or bool(re.match(r"module 'numpy[.\w]*' has no attribute|name '\w+' is not defined", text))
    )


def matches(value, shape):
    """Whether an array is of a shape, but for axes of 1 and joined ones."""
    return like(value, shape).shape == tuple(shape)


def close(found, wanted):
    """Whether a trial gave what the right network gives; loose, since wrong layouts of random numbers are far off."""
    found = arrays.real(found)  # of another dtype it is a finding, whatever its layout
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def progress(error, files):
    """The line of the code under test that was reached, or 0: of attempts that all fail, the one that got farthest."""
    if excuseless(error):
        return sys.maxsize
    if not isinstance(error, RaisedError):
        return 0
    if "converted to Python scalars" in error.raised["texts"][0]:  # an old habit; but a wrong layout may give it too
        return sys.maxsize - 1
    lines = [line for file, line in error.raised["frames"] if file in files]
    return 1 + lines[0] if lines else 0


def method_of(thing, names):
    """The first of the names that is a method of a class or object; None without one."""
    return next((name for name in names if name in thing.methods), None)
