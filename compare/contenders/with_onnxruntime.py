"""ONNX Runtime: the network as an ONNX graph. Prediction only, in float32 and float16: see `Adapter.lacks`."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from numpy_cnn.checks import parameter_shapes, pooled_size

_THREADS = 1
_AXES = {"conv": ["N", "F", "H", "W"], "pool": ["N", "F", "P", "Q"], "logits": ["N", "K"], "probabilities": ["N", "K"]}


def configure(threads):
    """Set the threads of every session that is opened from here on."""
    global _THREADS
    _THREADS = threads


class Adapter:
    """As much of the contract as a graph offers: parameters, activations but the loss, prediction."""

    dtypes = ("float16", "float32")
    less = "the graph predicts and no more; no float64: its convolution has none"
    lacks = {"bfloat16": "no bfloat16: its convolution has none on a CPU"}

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.input_shape, self.filters, self.padding = tuple(input_shape), filters, padding
        self.dtype = np.dtype(dtype)
        rng = np.random.default_rng(seed)
        shapes = parameter_shapes(input_shape, filters, classes, padding)
        self.set_parameters({name: rng.standard_normal(shape).astype(dtype) / 9 for name, shape in shapes.items()})

    def get_parameters(self):
        return {name: value.copy() for name, value in self.parameters.items()}

    def set_parameters(self, parameters):
        self.parameters = {name: np.array(value, self.dtype) for name, value in parameters.items()}
        self.session = self._session(("probabilities",))
        self._whole = None

    def activations(self, images, labels):
        names = ("conv", "pool", "logits", "probabilities")
        self._whole = self._whole or self._session(names)
        found = dict(zip(names, self._whole.run(names, {"images": self._channels_first(images)}), strict=True))
        found |= {name: np.ascontiguousarray(found[name].transpose(0, 2, 3, 1)) for name in ("conv", "pool")}
        return found

    def predict(self, images):
        return self.session.run(None, {"images": self._channels_first(images)})[0]

    def _session(self, outputs):
        h, w, c = self.input_shape
        p, q = pooled_size(self.input_shape, self.padding)
        dense = self.parameters["dense_weight"].reshape(p, q, self.filters, -1)
        weights = {
            "w": self.parameters["conv_weight"].transpose(3, 2, 0, 1),
            "d": dense.transpose(2, 0, 1, 3).reshape(p * q * self.filters, -1),
            "b": self.parameters["dense_bias"],
        }
        pads = [1, 1, 1, 1] if self.padding == "same" else [0, 0, 0, 0]
        nodes = [
            helper.make_node("Conv", ["images", "w"], ["conv"], kernel_shape=[3, 3], pads=pads),
            helper.make_node("MaxPool", ["conv"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pool"], ["flat"]),
            helper.make_node("Gemm", ["flat", "d", "b"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        graph = helper.make_graph(
            nodes,
            "cnn",
            [helper.make_tensor_value_info("images", kind, ["N", c, h, w])],
            [helper.make_tensor_value_info(name, kind, _AXES[name]) for name in outputs],
            [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _channels_first(self, images):
        """(N, H, W, C) -> (N, C, H, W); for one channel nothing moves."""
        return np.ascontiguousarray(np.asarray(images, self.dtype).transpose(0, 3, 1, 2))
