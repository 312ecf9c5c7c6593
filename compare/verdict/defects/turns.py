"""What a mistake does to one array: turn(value, given), as `gives` and `sees` take it."""

import numpy as np


def batch(given):
    """N: how many images a function was given."""
    return len(next(iter(given.values())))


def zeroed(x, given):
    """Never filled in."""
    return np.zeros_like(x)


def negated(x, given):
    """A minus too many, or too few."""
    return -x


def doubled(x, given):
    """Added twice."""
    return 2 * x


def times_batch(x, given):
    """A division by N that is missing."""
    return x * batch(given)


def over_batch(x, given):
    """A division by N too many."""
    return x / batch(given)


def lowered(x, given):
    """Through an array of float32."""
    return x.astype(np.float32)


def kept(*index):
    """What stands at an index stays, all else is 0: a loop that ends too early, or = where += should be."""

    def turn(x, given):
        found = np.zeros_like(x)
        found[index] = x[index]
        return found

    return turn


EVERY = slice(None)
FIRST, LAST = slice(None, 1), slice(-1, None)
first_image, last_image = kept(FIRST), kept(LAST)
without_last_place = kept(EVERY, slice(-1), slice(-1))


def late(x, given):
    """Each place holds what belongs a row and a column before it."""
    found = np.zeros_like(x)
    found[:, 1:, 1:] = x[:, :-1, :-1]
    return found


def flipped(w, given):
    """Turned by 180 degrees."""
    return w[::-1, ::-1]


def transposed(w, given):
    """Rows and columns exchanged."""
    return w.swapaxes(0, 1)


def alike(axis, reduce=np.sum):
    """All entries along an axis, or along several, hold their sum, or what `reduce` makes of them."""

    def turn(x, given):
        return np.broadcast_to(reduce(x, axis=axis, keepdims=True), x.shape)

    return turn


def first_of(axis):
    """All entries along an axis hold the first one's value: an index that does not move."""
    return alike(axis, lambda x, axis, keepdims: x.take([0], axis=axis))


def rectified(x, given):
    """A ReLU."""
    return np.maximum(x, 0)
