"""Convolution and pool as one matrix product: the network of `CNN`, several times as fast, in NumPy alone.

1. Images are the innermost axis, so that every operation runs along many numbers that lie side by side.
2. A pooled output sees a window of 4x4 pixels. `columns` holds, for each row of pixels and each of the 4 columns, the
   pixels of all windows; any 4 rows of it, one after the other, are then the windows of those rows: a view, no copy.
3. A filter has 2 places in a strip of 3x4 pixels: (2F, 12C) weights times the strips of a row, (12C, Q*N), and of the
   row below give all 4 candidates of each pooled output. Two calls of `maximum` pool: left or right, top or bottom.
4. Backwards, a pooled output's gradient g goes to the winner by products and differences: top = g * (top wins),
   bottom = g - top, and again for left and right. What the 4 places received, (4F, Q*N), times the windows,
   (Q*N, 16C), holds the gradients of the filters at their 4 places: cut them out and add.
"""

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numpy_cnn.checks import PARAMETERS, check_parameters, check_positive, generator, parameter_shapes, pooled_size
from numpy_cnn.conv import Conv3x3
from numpy_cnn.softmax import Softmax

CHUNK_BYTES = 1 << 21  # candidates at a time: with fewer, calls cost more than arithmetic; with more, caches overflow
SPLIT = 64  # images that a thread needs to be worth its start
KEPT = 8  # sizes of chunks whose buffers are kept: a batch has up to two, its last and smaller one two more


class Chunk:
    """Buffers for n images, images innermost, and what needs no weights."""

    def __init__(self, input_shape, border, p, q, f, k, dtype, n):
        h, w, c = input_shape
        seen_h, seen_w = min(h, 2 * p + 2 - border), min(w, 2 * q + 2 - border)  # what the pool sees of an image
        # (row, even or odd column, C, column // 2, n); what no image fills stays zero, the border of "same"
        pixels = np.zeros((2 * p + 2, 2, c, q + 1, n), dtype)
        columns = np.empty((2 * p + 2, 4, c, q, n), dtype)
        self.from_images, self.into_columns = [], []
        for first in (0, 1):
            start, odd = divmod(first + border, 2)
            into = pixels[border : border + seen_h, odd, :, start : start + (seen_w - first + 1) // 2]
            self.from_images.append((into, np.s_[:, :seen_h, first:seen_w:2]))
            self.into_columns.append((columns[:, 2 * first : 2 * first + 2], pixels[:, :, :, first : first + q]))
        one, line, row = dtype.itemsize, q * n * dtype.itemsize, columns.strides[0]
        self.strips = as_strided(columns, (2 * p, 12 * c, q * n), (row, line, one))
        self.windows = as_strided(columns, (p, q * n, 16 * c), (2 * row, one, line))
        candidates = np.empty((p, 2, 2, f, q * n), dtype)  # axes 1 and 2: row and column within the pool's 2x2
        self.left, self.right = candidates[:, :, 0], candidates[:, :, 1]
        self.conv_rows, self.places = candidates.reshape(2 * p, 2 * f, q * n), candidates.reshape(p, 4 * f, q * n)
        self.halves = np.empty((p, 2, f, q * n), dtype)
        self.top, self.bottom = self.halves[:, 0], self.halves[:, 1]
        self.left_wins, self.top_wins = np.empty(self.left.shape, bool), np.empty(self.top.shape, bool)
        self.pool, self.d_pool = np.empty((2, p, f, q * n), dtype)
        self.flat_pool, self.flat_d_pool = self.pool.reshape(-1, n), self.d_pool.reshape(-1, n)
        self.d_rows = np.empty((p, 4 * f, 16 * c), dtype)
        self.logits, self.softmax = np.empty((2, k, n), dtype)
        self.total, self.every = np.empty(n, dtype), np.arange(n)
        # the same memory as images: (n, P, 2, Q, 2, F), (n, P, Q, F), (n, P, Q, F)
        self.places_images = candidates.reshape(p, 2, 2, f, q, n).transpose(5, 0, 1, 4, 2, 3)
        self.pool_images, self.d_pool_images = (
            a.reshape(p, f, q, n).transpose(3, 0, 2, 1) for a in (self.pool, self.d_pool)
        )

    def load(self, x):
        """Fill `columns` from x (n, H, W, C)."""
        for into, part in self.from_images:
            np.copyto(into, x[part].transpose(1, 3, 2, 0))
        for into, part in self.into_columns:
            np.copyto(into, part)

    def maxima(self):
        """Pool the candidates."""
        np.maximum(self.left, self.right, out=self.halves)
        np.maximum(self.top, self.bottom, out=self.pool)

    def route(self):
        """Put each gradient of the pool where its (first) maximum was, in place of the candidates."""
        np.greater_equal(self.left, self.right, out=self.left_wins)
        np.greater_equal(self.top, self.bottom, out=self.top_wins)
        np.multiply(self.d_pool, self.top_wins, out=self.top)
        np.subtract(self.d_pool, self.top, out=self.bottom)
        np.multiply(self.halves, self.left_wins, out=self.left)
        np.subtract(self.halves, self.left, out=self.right)

    def probabilities(self):
        """Softmax of the logits, which are shifted by their maximum; `total` keeps the sum of the exponentials."""
        np.maximum.reduce(self.logits, axis=0, out=self.total)
        np.subtract(self.logits, self.total, out=self.logits)
        np.exp(self.logits, out=self.softmax)
        np.add.reduce(self.softmax, axis=0, out=self.total)
        return np.divide(self.softmax, self.total, out=self.softmax)

    def cross_entropy(self, labels, scale):
        """Sum over the images of the loss; `softmax` becomes d_logits, the gradient of `scale` times that sum."""
        d_logits = self.probabilities()
        loss = (np.log(self.total) - self.logits[labels, self.every]).sum()
        d_logits[labels, self.every] -= 1
        np.multiply(d_logits, scale, out=d_logits)
        return loss

    def filters(self, d_pair):
        """What the four places received times the pixels of their windows, into d_pair (4F, 16C)."""
        np.matmul(self.places, self.windows, out=self.d_rows)
        return np.add.reduce(self.d_rows, axis=0, out=d_pair)


class Fused:
    """Conv3x3, MaxPool2 and Softmax in one; arguments, start values and parameters are those of `CNN`.

    Nothing is checked here: x is (N, H, W, C) of `dtype`, in any memory order, N at least 1; labels (N,) int64, below
    K. Arguments are only read, and what is returned is the caller's to keep. One object serves one thread at a time.

    Args:
        threads: parts of a batch that are worked on at the same time. The same number gives the same bits.
    Raises:
        ValueError: arguments as for `CNN`; threads below 1.
    """

    def __init__(
        self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype=np.float32, seed=0, threads=1
    ):
        rng, (p, q), (_, _, c) = generator(seed), pooled_size(input_shape, padding), input_shape
        self._conv = Conv3x3(filters, c, padding, dtype, rng)
        dense = Softmax(p * q * filters, classes, dtype, rng)
        self.shapes, self.dtype = parameter_shapes(input_shape, filters, classes, padding), dense.weight.dtype
        self._geometry = p, q, filters, classes
        self._make = partial(Chunk, tuple(input_shape), int(padding == "same"), *self._geometry, self.dtype)
        self._most = max(1, CHUNK_BYTES // (4 * p * q * filters * self.dtype.itemsize))  # images in a chunk
        self._pair = np.zeros((2 * filters, 12 * c), self.dtype)
        at = self._pair.reshape(2, filters, 3, 4, c)
        self._filters = at[0, :, :, :3], at[1, :, :, 1:]  # the same weights at both places, (F, 3, 3, C)
        self._dense = np.empty((classes, p * filters * q), self.dtype)  # in (P, F, Q) order, as the pool lies
        self._bias = np.empty((classes, 1), self.dtype)
        self.set_parameters({"conv_weight": self._conv.weight, "dense_weight": dense.weight, "dense_bias": dense.bias})
        self._pool = ThreadPoolExecutor(threads) if check_positive("threads", threads) > 1 else None
        self._parts = [copy(self) for _ in range(threads)]  # the same parameters, buffers of their own
        for part in self._parts:
            part._chunks = {}
            part._sums, part._more = (
                [np.empty(s, self.dtype) for s in ((4 * filters, 16 * c), self._dense.shape, classes)] for _ in "12"
            )

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return self._named(self._filters[0], self._dense, self._bias[:, 0])

    def set_parameters(self, parameters):
        """Take copies of the same, cast to `dtype`. Raises ValueError for other names, shapes or values."""
        check_parameters(parameters, self.shapes)
        conv, dense, bias = (np.asarray(parameters[name], self.dtype) for name in PARAMETERS)
        p, q, f, k = self._geometry
        for place in self._filters:
            place[...] = conv.transpose(3, 0, 1, 2)
        self._dense.reshape(k, p, f, q)[...] = dense.reshape(p, q, f, k).transpose(3, 0, 2, 1)
        self._bias[:, 0] = bias

    def logits(self, x):
        """Logits (N, K)."""
        return self._forward(x, lambda chunk: chunk.logits.T)

    def predict(self, x):
        """Probabilities (N, K)."""
        return self._forward(x, lambda chunk: chunk.probabilities().T)

    def step(self, x, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        loss, (conv, dense, bias), _ = self._backward(x, labels, learning_rate)
        for place in self._filters:
            place -= conv
        self._dense -= dense
        self._bias[:, 0] -= bias
        return loss

    def activations(self, x, labels):
        """By name: conv (N, H', W', F), pool (N, P, Q, F), logits, probabilities (N, K), loss ()."""
        return {
            "conv": self.forward_stage("conv", x),
            "pool": self._forward(x, lambda chunk: chunk.pool_images),
            "logits": self.logits(x),
            "probabilities": self.predict(x),
            "loss": self.dtype.type(self._backward(x, labels, 1)[0]),
        }

    def gradients(self, x, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing.

        No step needs the gradient of the images: it comes from `Conv3x3`, given that of conv.
        """
        _, sums, seen = self._backward(x, labels, 1, lambda c: (c.softmax.T, c.d_pool_images, c.places_images))
        logits, pool, places = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        conv = np.zeros_like(self._layer().forward(x))
        self._windows(conv)[...] = places
        return (
            {"logits": logits, "pool": pool, "conv": conv} | self.backward_stage("conv", x, conv) | self._named(*sums)
        )

    def forward_stage(self, stage, x, labels=None):
        """One of "conv", "pool", "logits", "probabilities", "loss" alone, of an input of its own.

        An odd last row or column of conv is dropped by the pool and so never computed in a step: `Conv3x3` gives it.
        """
        chunk = self._parts[0]._chunk(len(x))
        if stage == "conv":
            whole = self._layer().forward(x)
            self._convolve(chunk, x)
            self._windows(whole)[...] = chunk.places_images
            return whole
        if stage == "pool":
            chunk.places_images[...] = self._windows(x)
            chunk.maxima()
            return chunk.pool_images.copy("C")
        if stage == "logits":
            chunk.pool_images[...] = x
            return self._connect(chunk).T.copy("C")
        if stage not in ("probabilities", "loss"):
            raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits, probabilities or loss")
        chunk.logits[...] = x.T
        if stage == "probabilities":
            return chunk.probabilities().T.copy("C")
        return self.dtype.type(chunk.cross_entropy(labels, 1) / len(x))

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards, given its input and the upstream gradient (a scalar for "loss").

        "conv" gives images (by `Conv3x3`, no step needs it) and conv_weight; "pool" gives conv; "logits" gives pool,
        dense_weight and dense_bias; "loss" gives logits.
        """
        chunk, (d_pair, d_dense, d_bias) = self._parts[0]._chunk(len(x)), self._parts[0]._sums
        if stage == "conv":
            layer, dropped = self._layer(), upstream.copy("C")
            layer.forward(x)
            chunk.load(x)
            chunk.places_images[...] = self._windows(upstream)
            self._windows(dropped)[...] = 0
            layer.backward(dropped, need_dx=False)
            d_conv = self._cut(chunk.filters(d_pair)).transpose(1, 2, 3, 0) + layer.d_weight
            return {"images": layer.backward(upstream), "conv_weight": d_conv}
        if stage == "pool":
            d_conv = np.zeros_like(x, order="C")
            chunk.places_images[...] = self._windows(x)
            chunk.d_pool_images[...] = upstream
            chunk.maxima()
            chunk.route()
            self._windows(d_conv)[...] = chunk.places_images
            return {"conv": d_conv}
        if stage == "logits":
            chunk.pool_images[...] = x
            chunk.softmax[...] = upstream.T
            self._disconnect(chunk, d_dense, d_bias)
            named = self._named(self._filters[0], d_dense, d_bias)
            return {"pool": chunk.d_pool_images.copy("C")} | {name: named[name] for name in PARAMETERS[1:]}
        if stage != "loss":
            raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits or loss")
        chunk.logits[...] = x.T
        chunk.cross_entropy(labels, self.dtype.type(upstream) / len(x))
        return {"logits": chunk.softmax.T.copy("C")}

    # the work: a batch in parts, a part in chunks

    def _each(self, work, n):
        """work(part, spans) for each part of a batch of n, side by side; spans are the (first, last) of its chunks."""
        count = -(-n // self._most)
        parts = self._parts if n >= SPLIT * len(self._parts) else self._parts[:1]
        count = max(count, len(parts))
        bounds = [n * i // count for i in range(count + 1)]
        spans = list(zip(bounds, bounds[1:], strict=False))
        if len(parts) == 1:
            return [work(parts[0], spans)]
        shares = [count * i // len(parts) for i in range(len(parts) + 1)]
        return list(self._pool.map(work, parts, (spans[a:b] for a, b in zip(shares, shares[1:], strict=False))))

    def _forward(self, x, read):
        """What `read` finds in each chunk, images first, once its logits are there: (N, ...), new memory."""

        def work(part, spans):
            found = []
            for first, last in spans:
                chunk = part._chunk(last - first)
                self._convolve(chunk, x[first:last])
                chunk.maxima()
                self._connect(chunk)
                found.append(read(chunk).copy("C"))
            return found

        found = [piece for pieces in self._each(work, len(x)) for piece in pieces]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _backward(self, x, labels, scale, read=None):
        """Mean loss; gradients of `scale` times it: filters (F, 3, 3, C), dense, bias; what `read` found in each chunk."""
        scale = scale / len(x)

        def work(part, spans):
            loss, found, into = 0.0, [], part._sums
            for first, last in spans:
                chunk = part._chunk(last - first)
                self._convolve(chunk, x[first:last])
                chunk.maxima()
                self._connect(chunk)
                loss += float(chunk.cross_entropy(labels[first:last], scale))
                self._disconnect(chunk, *into[1:])
                chunk.route()
                chunk.filters(into[0])
                if into is part._more:
                    add(part._sums, into)
                if read:
                    found.append([view.copy("C") for view in read(chunk)])
                into = part._more
            return loss, part._sums, found

        done = self._each(work, len(x))
        sums = done[0][1]
        for _, more, _ in done[1:]:
            add(sums, more)
        loss, found = sum(d[0] for d in done) / len(x), [piece for d in done for piece in d[2]]
        return loss, (self._cut(sums[0]), *sums[1:]), found

    def _chunk(self, n):
        if n not in self._chunks:
            if len(self._chunks) == KEPT:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[n] = self._make(n)
        return self._chunks[n]

    def _convolve(self, chunk, x):
        chunk.load(x)
        np.matmul(self._pair, chunk.strips, out=chunk.conv_rows)

    def _connect(self, chunk):
        np.dot(self._dense, chunk.flat_pool, out=chunk.logits)
        return np.add(chunk.logits, self._bias, out=chunk.logits)

    def _disconnect(self, chunk, d_dense, d_bias):
        np.dot(chunk.softmax, chunk.flat_pool.T, out=d_dense)
        np.add.reduce(chunk.softmax, axis=1, out=d_bias)
        np.dot(self._dense.T, chunk.softmax, out=chunk.flat_d_pool)

    def _cut(self, d_pair):
        """The filters' gradient (F, 3, 3, C) from that at the four places of a 4x4 window, (4F, 16C)."""
        at = d_pair.reshape(2, 2, self._geometry[2], 4, 4, -1)
        return at[0, 0, :, :3, :3] + at[0, 1, :, :3, 1:] + at[1, 0, :, 1:, :3] + at[1, 1, :, 1:, 1:]

    def _windows(self, conv):
        """conv (N, H', W', F) as (N, P, 2, Q, 2, F): a view without the odd last row and column."""
        p, q, f, _ = self._geometry
        return conv[:, : 2 * p, : 2 * q].reshape(-1, p, 2, q, 2, f)

    def _named(self, filters, dense, bias):
        p, q, f, k = self._geometry
        rows = dense.reshape(k, p, f, q).transpose(1, 3, 2, 0).reshape(-1, k)
        return dict(
            zip(PARAMETERS, (filters.transpose(1, 2, 3, 0).copy("C"), rows.copy("C"), bias.copy()), strict=True)
        )

    def _layer(self):
        self._conv.weight = self._filters[0].transpose(1, 2, 3, 0).copy("C")
        return self._conv


def add(sums, more):
    """sums += more, array by array."""
    for total, value in zip(sums, more, strict=True):
        total += value
