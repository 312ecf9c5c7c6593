"""Where an object of the code keeps the parameters of a stage, and in which orders they may lie there."""

import numpy as np

from compare.checking.calling import arrays, orders
from compare.checking.calling.words import plain

WEIGHTS = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias"), "pool": (), "probabilities": ()}

BIASES = {"b", "bias", "biases"}

WEIGHTS |= {"head": WEIGHTS["logits"], "whole": ("conv_weight", *WEIGHTS["logits"])}


def weights_of(code, stage, sizes, channels_first):
    """({name: [(paths, order), ...]}, paths to hold at 0): where an object may keep the parameters of a stage."""
    kept: dict = {}
    for path, array in arrays.arrays_of(code).items():
        if not arrays.is_gradient(path) and not arrays.is_memory(path):
            kept.setdefault(id(array), ([], array))[0].append(path)
    found: dict = {name: [] for name in WEIGHTS[stage]}
    shapes = sizes.shapes()
    zeros: list = []
    for paths, array in kept.values():
        readings = {
            "conv_weight": lambda shape=array.shape: orders.kernel_orders(shape, shapes["conv_weight"]),
            "dense_weight": lambda shape=array.shape: orders.dense_orders(
                shape, sizes.pool, sizes.classes, channels_first
            ),
            "dense_bias": lambda shape=array.shape: orders.bias_orders(shape, sizes.classes),
        }
        known = [(name, order) for name in found for order in readings[name]()]
        for name, order in known:
            found[name].append((paths, order))
        if not known and stage in ("conv", "pool", "whole") and array.size in (sizes.filters, int(np.prod(sizes.conv))):
            zeros += paths
        elif not known and stage == "conv" and plain(str(paths[0][-1]).lstrip("._")) in BIASES:
            zeros += paths  # of a size of its own: of more maps, say
    if "dense_bias" in found and not found["dense_bias"]:
        del found["dense_bias"]  # a layer without bias is judged as such
    return found, tuple(zeros)
