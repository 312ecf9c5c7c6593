"""What the fast NumPy way is to reach, held against the rows of `compare.speed`: met, or by how much not."""

import numpy as np
import pandas as pd

from compare.clock.stopwatch import time_calls
from numpy_cnn.checks import pooled_size

FAST = "numpy-fused"
NUMPY = ("numpy-loops", "numpy-layers", FAST)
GEMM_SIZE = 768  # rows and columns of the square float32 product whose rate is the limit
SHARE = 0.25  # of that rate, in training
COLUMNS = ["task", "batch_size", "measure", "against", "reached", "target", "met"]


def flops_per_image(input_shape, filters=8, classes=10, padding="valid", task="train"):
    """Floating-point operations an image that cannot be avoided: for MNIST 202,800 of a step, 124,384 of a prediction.

    Convolution and dense layer forward; of a step the dense layer twice backward as well, and the filters' gradient
    from a quarter of the conv outputs: the pool sends nothing to the others. A multiplication and an addition count as
    two.
    """
    h, w, c = input_shape
    p, q = pooled_size(input_shape, padding)
    border = 0 if padding == "same" else 2
    conv = 2 * 9 * c * filters * (h - border) * (w - border)
    dense = 2 * p * q * filters * classes
    return conv + dense if task == "predict" else conv + 3 * dense + 2 * 9 * c * filters * p * q


def targets(frame):
    """Rows of COLUMNS: how many times as fast as the best framework, and the share of the matrix-product rate.

    Args:
        frame: of `compare.speed`, with `gemm_flops_per_second` and `input_shape` in its attrs.
    """
    timed = frame[frame["outcome"] == "timed"]
    rows = []
    for (task, size), group in timed.groupby(["task", "batch_size"], sort=False):
        seconds = group.set_index("implementation")["seconds_per_image"]
        if FAST not in seconds:
            continue
        others = seconds.drop([name for name in NUMPY if name in seconds])
        if len(others):
            best, target = others.idxmin(), (1.0 if task == "predict" else 2.0 if size == 1 else 3.0)
            reached = others.min() / seconds[FAST]
            rows.append((task, size, "times as fast as the best framework", best, reached, target, reached >= target))
        rate = frame.attrs.get("gemm_flops_per_second")
        if task == "train" and rate:
            share = flops_per_image(frame.attrs["input_shape"]) / seconds[FAST] / rate
            rows.append((task, size, "share of the matrix-product rate", "limit", share, SHARE, share >= SHARE))
    return pd.DataFrame(rows, columns=COLUMNS)


def measure_gemm(spec, implementation):
    """Operations a second of a square float32 matrix product, inside a cell: ({"rate": (samples,)}, {})."""
    a, b, out = np.random.default_rng(0).standard_normal((3, GEMM_SIZE, GEMM_SIZE)).astype(np.float32)
    timing = time_calls([lambda: np.matmul(a, b, out=out)], spec["samples"], spec["sample_seconds"], spec["threads"])
    return {"rate": 2 * GEMM_SIZE**3 / timing.seconds}, {}
