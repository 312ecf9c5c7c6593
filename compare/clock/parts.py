"""`python -m compare.clock.parts`: what a prediction of `numpy-fused` consists of, each part timed alone.

One thread, batch 32. Random images: no part looks at what they show.
"""

import numpy as np
import threadpoolctl

from compare.clock.stopwatch import time_calls
from numpy_cnn.fused import Fused

BATCH = 32
ROUNDS = 9  # of all parts in turn: a drift of the machine's speed meets them all


def parts(network, images):
    """{part: function without arguments} of a batch that fits into one chunk, in the order in which they follow."""
    [(chunk, _)] = list(network._forward(images))
    return {
        "images into place, batch innermost": lambda: np.copyto(chunk.inner, images[chunk.seen]),
        "columns copied, three for each": lambda: np.copyto(chunk.columns, chunk.shifted),
        "products, 8 x 9 filters": lambda: network._convolve(chunk),
        "maxima": chunk.maxima,
        "dense layer": lambda: network._connect(chunk),
        "softmax, and a copy of the result": lambda: (chunk.softmax(), chunk.probabilities_view.copy("C")),
    }


def main():
    """Print microseconds an image: each part, their sum, the whole, and the writing of conv's output alone."""
    network = Fused()
    images = np.random.default_rng(0).random((BATCH, 28, 28, 1), dtype=np.float32) - np.float32(0.5)
    functions = parts(network, images)
    [(chunk, _)] = list(network._forward(images))
    whole = {
        "the whole prediction": lambda: network.predict(images),
        "conv's output written once, nothing computed": lambda: chunk.conv.fill(0),
    }
    found: dict[str, list] = {name: [] for name in functions | whole}
    with threadpoolctl.threadpool_limits(1):
        for _ in range(ROUNDS):
            for name, function in (functions | whole).items():
                found[name].append(np.median(time_calls([function], 30, 0.001).seconds))
    micro = {name: 1e6 * float(np.median(seconds)) / BATCH for name, seconds in found.items()}
    for name in functions:
        print(f"{micro[name]:6.2f}  {name}")
    print(f"{sum(micro[name] for name in functions):6.2f}  sum of the parts")
    for name in whole:
        print(f"{micro[name]:6.2f}  {name}")


if __name__ == "__main__":
    main()
