"""Convolution and pool as one matrix product: the network of `CNN`, several times as fast, in NumPy alone.

1. Images are the innermost axis, so that every operation runs along many numbers that lie side by side.
2. The pool compares even with odd columns of conv. `columns` holds what each of the two needs: for every row of pixels
   and each of a filter's 3 columns, the pixels under all its places. Any 3 rows of it, one after the other, are all
   patches of a row of conv: a view, no copy. Filters (F, 9C) times patches (9C, Q*N): one call of `matmul` does all
   rows, in such an order that `maximum` pools halves, left or right, then top or bottom.
3. Backwards, a pooled output's gradient goes to the winner: `wins`, 1 at the first maximum of a window and else 0,
   times the gradient. A pool's two rows see 4 rows of pixels, again a view: gradients (2F, Q*N) times these (Q*N, 12C)
   hold the gradients of the filters at their upper and lower place: cut them out and add.
"""

from operator import attrgetter

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numpy_cnn.checks import PARAMETERS, check_parameters, pooled_size
from numpy_cnn.layers import Layers

CHUNK_BYTES = 3 << 19  # of candidates at a time: with fewer, calls outweigh arithmetic; with more, caches overflow
KEPT = 8  # sizes of chunks whose buffers are kept: a batch has up to two, the last and smaller one two more


class Chunk:
    """Buffers for n images, images innermost, and the steps that need no weights."""

    def __init__(self, n, input_shape, border, p, q, f, k, dtype):
        h, w, c = input_shape
        seen_h, seen_w = min(h, 2 * p + 2 - border), min(w, 2 * q + 2 - border)  # what the pool sees of an image
        pixels = np.zeros((2 * p + 2, 2 * q + 2, c, n), dtype)  # what no image fills stays zero: the border of "same"
        self.inner = pixels[border : border + seen_h, border : border + seen_w].transpose(3, 0, 1, 2)
        self.seen = np.s_[:, :seen_h, :seen_w]
        # [even or odd, row, j, C, Q, n]: pixels[row, 2 * column + odd + j]
        to_row, to_column, to_channel, one = pixels.strides
        strides = to_column, to_row, to_column, to_channel, 2 * to_column, one
        self.shifted = as_strided(pixels, (2, 2 * p + 2, 3, c, q, n), strides)
        self.columns = np.empty(self.shifted.shape, dtype)
        half, row, _, line = self.columns.strides[:4]
        self.patches = as_strided(self.columns, (2, 2 * p, 9 * c, q * n), (half, row, line, one))
        self.four_rows = as_strided(self.columns, (2, p, q * n, 12 * c), (half, 2 * row, one, line))
        # of the pool: (left or right, P, top or bottom, F, Q*n); on the way back their gradients
        self.candidates = candidates = np.empty((2, p, 2, f, q * n), dtype)
        self.left, self.right = candidates
        halves = np.empty((p, 2, f, q * n), dtype)
        self.halves, self.top, self.bottom = halves, halves[:, 0], halves[:, 1]
        self.wins, row_wins = np.empty(candidates.shape, bool), np.empty(halves.shape, bool)
        self.left_wins, self.right_wins = self.wins
        self.row_wins, self.top_wins, self.bottom_wins = row_wins, row_wins[:, 0], row_wins[:, 1]
        self.pool, self.d_pool = np.empty((2, p, f, q * n), dtype)
        self.d_rows = np.empty((2, p, 2 * f, 12 * c), dtype)
        self.logits, self.probabilities = np.empty((2, k, n), dtype)
        self.total, self.every = np.empty(n, dtype), np.arange(n)
        # the same memory in the shapes of the products
        self.conv, self.d_conv = candidates.reshape(2, 2 * p, f, q * n), candidates.reshape(2, p, 2 * f, q * n)
        self.d_places = self.d_rows.reshape(2 * p, 2 * f, 12 * c)
        self.flat_pool, self.flat_d_pool = self.pool.reshape(-1, n), self.d_pool.reshape(-1, n)
        # and images first: conv as (n, P, 2, Q, 2, F), the others (n, P, Q, F) and (n, K)
        self.conv_view = candidates.reshape(2, p, 2, f, q, n).transpose(5, 1, 2, 4, 0, 3)
        self.pool_view, self.d_pool_view = (
            a.reshape(p, f, q, n).transpose(3, 0, 2, 1) for a in (self.pool, self.d_pool)
        )
        self.logits_view, self.probabilities_view = self.logits.T, self.probabilities.T

    def load(self, x):
        """Fill `columns` from x (n, H, W, C)."""
        np.copyto(self.inner, x[self.seen])
        np.copyto(self.columns, self.shifted)

    def maxima(self):
        """Pool the candidates."""
        np.maximum(self.left, self.right, out=self.halves)
        np.maximum(self.top, self.bottom, out=self.pool)

    def route(self):
        """Replace the candidates by their gradients: that of the pool where the (first) maximum was, else zero."""
        np.greater_equal(self.left, self.right, out=self.left_wins)
        np.greater_equal(self.top, self.bottom, out=self.top_wins)
        np.logical_not(self.top_wins, out=self.bottom_wins)
        np.greater(self.row_wins, self.left_wins, out=self.right_wins)  # its row wins, and left does not
        np.logical_and(self.row_wins, self.left_wins, out=self.left_wins)
        np.copyto(self.candidates, self.wins)  # as numbers: a product of float and bool converts more slowly
        np.multiply(self.candidates, self.d_pool[:, None], out=self.candidates)

    def d_filters(self, out):
        """Gradients of the filters at both their places in 4 rows, (2F, 12C), from those of the candidates."""
        np.matmul(self.d_conv, self.four_rows, out=self.d_rows)
        return np.add.reduce(self.d_places, axis=0, out=out)

    def softmax(self):
        """Fill `probabilities`; the logits are shifted by their maximum, `total` is the sum of the exponentials."""
        np.maximum.reduce(self.logits, axis=0, out=self.total)
        np.subtract(self.logits, self.total, out=self.logits)
        np.exp(self.logits, out=self.probabilities)
        np.add.reduce(self.probabilities, axis=0, out=self.total)
        np.divide(self.probabilities, self.total, out=self.probabilities)

    def cross_entropy(self, labels, scale):
        """Sum of the losses. `probabilities` becomes the gradient of `scale` times that sum, of the logits."""
        self.softmax()
        chosen = labels, self.every
        loss = np.add.reduce(np.log(self.total) - self.logits[chosen])
        self.probabilities[chosen] -= 1
        np.multiply(self.probabilities, scale, out=self.probabilities)
        return float(loss)


class Fused:
    """Conv3x3, MaxPool2 and Softmax in one; arguments, start values and parameters are those of `CNN`.

    Nothing is checked: x is (N, H, W, C) of `dtype` in any memory order, N 1 or more; labels are (N,) int64 below K.
    Arguments are only read; what is returned is the caller's to keep. Not for several threads at a time.

    Raises:
        ValueError: arguments as for `CNN`.
    """

    dtypes, lacks = Layers.dtypes, Layers.lacks

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype=np.float32, seed=0):
        self._layers = Layers(input_shape, filters, classes, padding, dtype, seed)  # start, and what no step computes
        self.shapes, self.dtype = self._layers.shapes, self._layers.dtype
        (p, q), c = pooled_size(input_shape, padding), input_shape[2]
        self._pqfk = p, q, filters, classes
        self._geometry = tuple(input_shape), int(padding == "same"), *self._pqfk, self.dtype
        self._chunks, self._most = {}, max(1, CHUNK_BYTES // (4 * p * q * filters * self.dtype.itemsize))
        self._filters = np.empty((filters, 3, 3, c), self.dtype)
        self._dense = np.empty((classes, p * filters * q), self.dtype)  # in (P, F, Q) order, as the pool lies
        self._bias = np.empty((classes, 1), self.dtype)
        shapes = (2 * filters, 12 * c), self._dense.shape, classes
        self._sums, self._more = ([np.empty(shape, self.dtype) for shape in shapes] for _ in range(2))
        self.set_parameters(self._layers.get_parameters())

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return self._named(self._filters, self._dense, self._bias[:, 0])

    def set_parameters(self, parameters):
        """Take copies of the same, cast to `dtype`. Raises ValueError for other names, shapes or values."""
        check_parameters(parameters, self.shapes, self.dtype)
        conv, dense, bias = (np.asarray(parameters[name], self.dtype) for name in PARAMETERS)
        p, q, f, k = self._pqfk
        self._filters[...] = conv.transpose(3, 0, 1, 2)
        self._dense.reshape(k, p, f, q)[...] = dense.reshape(p, q, f, k).transpose(3, 0, 2, 1)
        self._bias[:, 0] = bias

    def logits(self, x):
        """Logits (N, K)."""
        return _joined([chunk.logits_view.copy("C") for chunk, _ in self._forward(x)])

    def predict(self, x):
        """Probabilities (N, K)."""
        found = []
        for chunk, _ in self._forward(x):
            chunk.softmax()
            found.append(chunk.probabilities_view.copy("C"))
        return _joined(found)

    def step(self, x, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        loss, (conv, dense, bias) = self._backward(x, labels, learning_rate)
        self._filters -= conv
        self._dense -= dense
        self._bias[:, 0] -= bias
        return loss

    def descend(self, x, labels, update):
        """One update by update(name, parameter, gradient), the new parameter; returns the loss before it.

        Number by number: the arrays are in the order of this class.
        """
        loss, gradients = self._backward(x, labels, 1)
        for name, held, gradient in zip(
            PARAMETERS, (self._filters, self._dense, self._bias[:, 0]), gradients, strict=True
        ):
            held[...] = update(name, held, gradient)
        return loss

    def _forward(self, x):
        """Chunk by chunk with its logits in place: (chunk, which images). Sizes differ by one at most."""
        n, first = len(x), 0
        count = -(-n // self._most)
        for i in range(count):
            last = n * (i + 1) // count
            chunk = self._chunk(last - first)
            chunk.load(x[first:last])
            self._convolve(chunk)
            chunk.maxima()
            self._connect(chunk)
            yield chunk, slice(first, last)
            first = last

    def _backward(self, x, labels, scale, see=None):
        """Mean loss; gradients of `scale` times it: filters (F, 3, 3, C), dense, bias. `see` is shown each chunk."""
        scale, loss, into = float(scale) / len(x), 0.0, self._sums
        for chunk, images in self._forward(x):
            loss += chunk.cross_entropy(labels[images], scale)
            self._disconnect(chunk, *into[1:])
            chunk.route()
            chunk.d_filters(into[0])
            if into is self._more:
                for total, more in zip(self._sums, into, strict=True):
                    total += more
            into = self._more
            if see:
                see(chunk)
        return loss / len(x), (self._cut(self._sums[0]), *self._sums[1:])

    def _chunk(self, n):
        if n not in self._chunks:
            if len(self._chunks) == KEPT:
                del self._chunks[next(iter(self._chunks))]  # the oldest
            self._chunks[n] = Chunk(n, *self._geometry)
        return self._chunks[n]

    def _convolve(self, chunk):
        np.matmul(self._filters.reshape(len(self._filters), -1), chunk.patches, out=chunk.conv)

    def _connect(self, chunk):
        np.dot(self._dense, chunk.flat_pool, out=chunk.logits)
        np.add(chunk.logits, self._bias, out=chunk.logits)

    def _disconnect(self, chunk, d_dense, d_bias):
        """The dense layer backwards: `probabilities` hold the gradient of the logits."""
        np.dot(chunk.probabilities, chunk.flat_pool.T, out=d_dense)
        np.add.reduce(chunk.probabilities, axis=1, out=d_bias)
        np.dot(self._dense.T, chunk.probabilities, out=chunk.flat_d_pool)

    def _cut(self, d_places):
        """The filters' gradient (F, 3, 3, C) from those at their two places in 4 rows, (2F, 12C)."""
        upper, lower = d_places.reshape(2, -1, 4, 3, self._filters.shape[3])
        return upper[:, :3] + lower[:, 1:]

    def _named(self, filters, dense, bias):
        p, q, f, k = self._pqfk
        rows = dense.reshape(k, p, f, q).transpose(1, 3, 2, 0).reshape(-1, k).copy()
        return dict(zip(PARAMETERS, (filters.transpose(1, 2, 3, 0).copy("C"), rows, bias.copy()), strict=True))

    # what parity asks for, out of the same products and maxima

    def activations(self, x, labels):
        """By name: conv (N, H', W', F), pool (N, P, Q, F), logits, probabilities (N, K), loss ()."""
        pool = _joined([chunk.pool_view.copy("C") for chunk, _ in self._forward(x)])
        loss = self.dtype.type(self._backward(x, labels, 1)[0])
        found = {"conv": self.forward_stage("conv", x), "pool": pool, "logits": self.logits(x)}
        return found | {"probabilities": self.predict(x), "loss": loss}

    def gradients(self, x, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing."""
        seen = []
        views = attrgetter("probabilities_view", "d_pool_view", "conv_view")
        parameters = self._backward(x, labels, 1, lambda chunk: seen.append([v.copy("C") for v in views(chunk)]))[1]
        d_logits, d_pool, d_places = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        named, layer = self._named(*parameters), self._conv_layer()
        d_conv = np.zeros_like(layer.forward(x))
        self._inside(d_conv)[...] = d_places
        return {"logits": d_logits, "pool": d_pool, "conv": d_conv, "images": layer.backward(d_conv)} | named

    def forward_stage(self, stage, x, labels=None):
        """One of "conv", "pool", "logits", "probabilities", "loss" alone, of an input of its own.

        The pool drops an odd last row or column of conv, so no step computes it: here it comes from `Conv3x3`.
        """
        chunk = self._holding(stage, x)
        if stage == "conv":
            y = self._conv_layer().forward(x)
            self._convolve(chunk)
            self._inside(y)[...] = chunk.conv_view
            return y
        if stage == "pool":
            chunk.maxima()
            return chunk.pool_view.copy("C")
        if stage == "logits":
            self._connect(chunk)
            return chunk.logits_view.copy("C")
        if stage == "loss":
            return self.dtype.type(chunk.cross_entropy(labels, 1) / len(x))
        chunk.softmax()
        return chunk.probabilities_view.copy("C")

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards, given its input and the upstream gradient (a scalar for "loss").

        "conv" gives images and conv_weight; "pool" gives conv; "logits" gives pool, dense_weight and dense_bias;
        "loss" gives logits. No step needs images, nor the share of an odd last row or column of conv in conv_weight:
        both come from `Conv3x3`.
        """
        if stage == "probabilities":
            raise ValueError("stage: found 'probabilities', wanted conv, pool, logits or loss")
        chunk, (d_places, d_dense, d_bias) = self._holding(stage, x), self._sums
        if stage == "loss":
            chunk.cross_entropy(labels, float(upstream) / len(x))
            return {"logits": chunk.probabilities_view.copy("C")}
        if stage == "logits":
            chunk.probabilities_view[...] = upstream
            self._disconnect(chunk, d_dense, d_bias)
            named = self._named(self._filters, d_dense, d_bias)
            return {"pool": chunk.d_pool_view.copy("C")} | {name: named[name] for name in PARAMETERS[1:]}
        if stage == "pool":
            chunk.d_pool_view[...] = upstream
            chunk.maxima()
            chunk.route()
            d_conv = np.zeros(x.shape, self.dtype)
            self._inside(d_conv)[...] = chunk.conv_view
            return {"conv": d_conv}
        chunk.conv_view[...] = self._inside(upstream)
        rest, layer = upstream.copy("C"), self._conv_layer()
        self._inside(rest)[...] = 0
        layer.forward(x)
        layer.backward(rest, need_dx=False)
        d_weight = self._cut(chunk.d_filters(d_places)).transpose(1, 2, 3, 0) + layer.d_weight
        return {"images": layer.backward(upstream), "conv_weight": d_weight}

    def _holding(self, stage, x):
        """A chunk with x where the stage takes its input from."""
        chunk = self._chunk(len(x))
        if stage == "conv":
            chunk.load(x)
        elif stage == "pool":
            chunk.conv_view[...] = self._inside(x)
        elif stage == "logits":
            chunk.pool_view[...] = x
        elif stage in ("probabilities", "loss"):
            chunk.logits_view[...] = x
        else:
            raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits, probabilities or loss")
        return chunk

    def _conv_layer(self):
        self._layers.conv.weight = self._filters.transpose(1, 2, 3, 0).copy("C")
        return self._layers.conv

    def _inside(self, conv):
        """A view of conv (N, H', W', F) without its odd last row and column: (N, P, 2, Q, 2, F)."""
        p, q, f, _ = self._pqfk
        return conv[:, : 2 * p, : 2 * q].reshape(-1, p, 2, q, 2, f)


def _joined(pieces):
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
