"""An ONNX graph of one convolution, one pooling and one dense layer, made a subject: forward only. See `framework`."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compare.checking.calling.orders import DENSE, IMAGES, KERNEL, Order
from compare.checking.frameworks import framework
from compare.contract import NotOfferedError

TYPES = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")


def subject(path):
    """A subject class of an .onnx file, run by ONNX Runtime.

    Raises:
        NotOfferedError: no ONNX file, or one of another network; the message says what was found.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # whatever a damaged file provokes
        raise NotOfferedError(f"{path} holds no valid ONNX graph: {error}") from error
    _Net(_copy(model), None, Path(path).name)  # what is no such network is refused with its own reason
    return framework.subject(
        [lambda sizes, dtype: _copy(model)], lambda copied, dtype: _Net(copied, dtype, Path(path).name), backward=False
    )


def _copy(model):
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


class _Net:
    """A `framework.Net`, without gradients."""

    outward = Order(IMAGES, ("N", "C", "H", "W"))
    kernel = Order(KERNEL, ("F", "C", "I", "J"))

    def __init__(self, model, dtype, name):
        self.model, self.name = model, name
        self._inline_constants()
        graph = model.graph
        self.values = {tensor.name: tensor for tensor in graph.initializer}
        inputs = [each for each in graph.input if each.name not in self.values]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise NotOfferedError(
                f"{name} has {len(inputs)} inputs and {len(graph.output)} outputs, wanted images in, logits out"
            )
        self.type = inputs[0].type.tensor_type
        self.dtype = TYPES.get(self.type.elem_type)
        if self.dtype is None or dtype not in (None, self.dtype):
            raise NotOfferedError(f"{name} computes in {self.dtype or self.type.elem_type}, wanted {dtype or 'floats'}")
        self.batch = self.type.shape.dim[0].dim_value if self.type.shape.dim else 0  # 0: any
        self.one_image = self.batch == 1
        self.sessions: dict = {}
        self.names = {"images": inputs[0].name, "out": graph.output[0].name}
        self._find()

    def _inline_constants(self):
        """Weights that are nodes of their own as initializers, like the others."""
        graph = self.model.graph
        for node in [node for node in graph.node if node.op_type == "Constant"]:
            value = next((each.t for each in node.attribute if each.name == "value"), None)
            if value is not None:
                tensor = graph.initializer.add()
                tensor.CopyFrom(value)
                tensor.name = node.output[0]
                graph.node.remove(node)

    def _find(self):
        nodes = list(self.model.graph.node)
        convs = [node for node in nodes if node.op_type == "Conv"]
        pools = [node for node in nodes if node.op_type in POOLS]
        denses = [node for node in nodes if node.op_type in ("Gemm", "MatMul") and node.input[1] in self.values]
        kernels = [self._value(node.input[1]).shape[2:] for node in convs if node.input[1] in self.values]
        if len(convs) != 1 or len(denses) != 1 or len(pools) > 1 or kernels != [(3, 3)]:
            kinds = ([f"{node.op_type} {node.name or node.output[0]}" for node in k] for k in (convs, pools, denses))
            raise framework.found_instead(self.name, *kinds)
        (conv,), (dense,) = convs, denses
        self.places = {"conv_weight": conv.input[1], "dense_weight": dense.input[1]}
        self.conv_bias = conv.input[2] if len(conv.input) > 2 else None
        self.names |= {"conv_in": conv.input[0], "conv": conv.output[0], "dense_in": dense.input[0]}
        self.names |= {"pool": pools[0].output[0]} if pools else {}
        self.averages = bool(pools) and "Average" in pools[0].op_type
        turned = any(each.name == "transB" and each.i for each in dense.attribute)
        axes = [(joined, "K")[:: -1 if turned else 1] for joined in ("FPQ", "PQF")]
        self.denses = tuple(Order(DENSE, each) for each in axes)
        bias, last = (dense.input[2] if len(dense.input) > 2 else None), dense.output[0]
        added = next((node for node in nodes if node.op_type == "Add" and last in node.input), None)
        if bias is None and added is not None:
            bias = next((name for name in added.input if name in self.values), None)
            last = added.output[0] if bias else last
        self.names["dense"] = last
        self.places |= {"dense_bias": bias} if bias in self.values else {}
        self.remarks = ["it is an ONNX graph, run by ONNX Runtime: forward only"]
        if self.conv_bias is not None:
            self.remarks.append("conv has a bias, (F,): held at 0")

    def _value(self, name):
        return numpy_helper.to_array(self.values[name])

    def get(self):
        return {name: np.array(self._value(place)) for name, place in self.places.items()} | (
            {"dense_bias": self._value(self.places["dense_bias"]).reshape(-1)} if "dense_bias" in self.places else {}
        )

    def put(self, values):
        zero = {self.conv_bias: np.zeros_like(self._value(self.conv_bias))} if self.conv_bias in self.values else {}
        placed = {self.places[name]: value for name, value in values.items() if name in self.places}
        for place, value in (placed | zero).items():
            shaped = np.ascontiguousarray(value.reshape(self._value(place).shape))
            self.values[place].CopyFrom(numpy_helper.from_array(shaped, place))
        self.sessions = {}

    def run(self, given, loss=None):
        given = {name: value for name, value in given.items() if name != "images" or len(given) == 1}
        count = len(next(iter(given.values())))
        size = self.batch or count
        found = []
        for start in range(0, count, size):
            chunk = {name: value[start : start + size] for name, value in given.items()}
            missing = size - len(next(iter(chunk.values())))
            chunk = {name: np.concatenate([value, value[:1].repeat(missing, 0)]) for name, value in chunk.items()}
            found.append({name: value[: size - missing] for name, value in self._run(chunk).items()})
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    def _run(self, given):
        key = tuple(given)
        if key not in self.sessions:
            self.sessions[key] = self._session(key)
        session, wanted = self.sessions[key]
        outputs = dict(zip(wanted, session.run(wanted, {self.names[n]: v for n, v in given.items()}), strict=True))
        known = {self.names[name]: value for name, value in given.items()} | outputs
        return {tap: np.array(known[name]) for tap, name in self.names.items() if name in known}

    def _session(self, taps):
        """(session, names of its outputs): the part of the graph that follows from what is given at some taps."""
        starts = [self.names[tap] for tap in taps]
        known, nodes = {*starts, *self.values, ""}, []
        for node in self.model.graph.node:
            if set(node.input) <= known and not set(node.output) & set(starts):
                nodes.append(node)
                known |= set(node.output)
        wanted = [name for name in dict.fromkeys(self.names.values()) if name in known and name not in starts]
        cut = _copy(self.model)
        kind = self.type.elem_type
        for field, names in ((cut.graph.input, starts), (cut.graph.output, wanted)):
            del field[:]
            field.extend([helper.make_tensor_value_info(name, kind, None) for name in names])
        del cut.graph.node[:], cut.graph.value_info[:]
        cut.graph.node.extend(nodes)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(
            cut.SerializeToString(), options, providers=["CPUExecutionProvider"]
        ), wanted
