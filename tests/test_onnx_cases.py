"""The conformance cases that the `onnx` package ships, through our stages wherever the operator is one we have.

Two sources, both inside the package: the cases of single operators, made by its own Python code, and small models
exported from PyTorch with their inputs and outputs. The whole networks that it ships need operators beyond ours.
"""

import importlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.backend.test.case import node as onnx_node
from onnx.backend.test.loader import DATA_DIR

from compare.verdict import arbiter
from compare.verdict.allowances import Bounded, Rounding, Stages
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.one_by_one import Loops

WAYS = [
    Layers,
    Loops,
    Fused,
]

# Gemm is our dense layer.
MODULES = {
    "Conv": "conv",
    "MaxPool": "maxpool",
    "Softmax": "softmax",
    "SoftmaxCrossEntropyLoss": "softmax_cross_entropy_loss",
    "Gemm": "gemm",
}
# As of onnx 1.23: a case that is dropped, renamed out of reach or no longer understood changes these numbers.
RUN = {"Conv": 3, "MaxPool": 2, "Softmax": 8, "SoftmaxCrossEntropyLoss": 6, "Gemm": 5}
NOT_RUN = 144


@dataclass(frozen=True)
class Case:
    """One case: the only operator of its graph with attributes and opset, inputs in order, expected outputs."""

    name: str
    operators: tuple
    attributes: dict = field(hash=False)
    opset: int
    inputs: list = field(hash=False)
    outputs: list = field(hash=False)

    def ints(self, name, default):
        return list(self.attributes.get(name, default))


def _case(name, model, inputs, outputs):
    graph = model.graph
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    fed = iter(inputs)
    given = {value.name: weights[value.name] if value.name in weights else next(fed) for value in graph.input}
    first = graph.node[0]
    return Case(
        name,
        tuple(node.op_type for node in graph.node),
        {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in first.attribute},
        next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        [({**weights, **given})[name] for name in first.input if name in weights or name in given],
        list(outputs),
    )


def _cases_of_operators():
    for module in MODULES.values():
        importlib.import_module(f"{onnx_node.__name__}.{module}")  # registers its cases
    ours = {case.name for case in onnx_node._NodeTestCases if case.model.graph.node[0].op_type in MODULES}
    for case in onnx_node._NodeTestCases:
        if case.name.partition("_expanded")[0] in ours:
            (inputs, outputs), *more = case.data_sets
            assert not more
            yield _case(case.name, case.model, inputs, outputs)


def _cases_from_pytorch():
    for folder in sorted(Path(DATA_DIR).glob("pytorch-*/*")):
        model = onnx.load(folder / "model.onnx")
        if {node.op_type for node in model.graph.node} & set(MODULES):
            data = folder / "test_data_set_0"
            tensors = [
                [
                    onnx.numpy_helper.to_array(onnx.load_tensor(data / f"{kind}_{number}.pb"))
                    for number in range(len(list(data.glob(f"{kind}_*.pb"))))
                ]
                for kind in ("input", "output")
            ]
            yield _case(f"{folder.parent.name}/{folder.name}", model, *tensors)


# why a case is not one of ours: a sentence, or None


def why_not(case):
    if "_expanded" in case.name:
        return "the case it is named after once more, its operator written in others"
    if len(case.operators) > 1:
        return f"a graph of several operators: {', '.join(case.operators)}"
    return REASONS[case.operators[0]](case)


def _why_not_windows(case, kernel, stride, pads):
    axes = case.inputs[0].ndim - 2
    found = case.ints("kernel_shape", case.inputs[-1].shape[2:])
    if axes != 2:
        return f"{axes}-D images"
    if found != kernel:
        return f"windows of {'x'.join(map(str, found))}"
    if case.ints("strides", [1, 1]) != stride:
        return f"stride {case.ints('strides', [1, 1])}"
    if case.ints("dilations", [1, 1]) != [1, 1]:
        return "dilated windows"
    if case.attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or case.ints("pads", [0] * 4) not in pads:
        return "another padding"
    return None


def _why_not_conv(case):
    if case.attributes.get("group", 1) != 1:
        return "groups of channels"
    reason = _why_not_windows(case, [3, 3], [1, 1], ([0] * 4, [1] * 4))
    return reason or ("a bias" if len(case.inputs) > 2 else None)


def _why_not_pool(case):
    if case.inputs[0].dtype.kind != "f":
        return f"dtype {case.inputs[0].dtype}"
    reason = _why_not_windows(case, [2, 2], [2, 2], ([0] * 4,))
    return reason or ("sizes rounded up" if case.attributes.get("ceil_mode", 0) else None)


def _why_not_softmax(case):
    axis = case.attributes.get("axis", -1 if case.opset >= 13 else 1)
    return None if axis in (-1, case.inputs[0].ndim - 1) else "an axis that is not the last"


def _why_not_loss(case):
    if case.inputs[0].ndim > 2:
        return "a label for every place of an image"
    if len(case.inputs) > 2:
        return "a weight for every class"
    return "a label that is ignored" if "ignore_index" in case.attributes else None


def _why_not_dense(case):
    if case.attributes.get("transA", 0):
        return "a transposed input"
    if case.attributes.get("alpha", 1.0) != 1 or case.attributes.get("beta", 1.0) != 1:
        return "factors alpha and beta"
    classes = case.outputs[0].shape[1]
    if len(case.inputs) > 2 and case.inputs[2].shape not in ((classes,), (1, classes)):
        return "a bias that is not one number for every class"
    return None


REASONS = {
    "Conv": _why_not_conv,
    "MaxPool": _why_not_pool,
    "Softmax": _why_not_softmax,
    "SoftmaxCrossEntropyLoss": _why_not_loss,
    "Gemm": _why_not_dense,
}


CASES = [*_cases_of_operators(), *_cases_from_pytorch()]
OURS = [case for case in CASES if why_not(case) is None]


def allowing(dtype):
    return Stages(arbiter, "valid", Rounding.of(dtype))


def agree(found, wanted, allowance):
    """Both are float32 results of other programs than the arbiter: each may be off by its rounding."""
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape == allowance.shape
    assert (np.abs(found.astype(np.float64) - wanted) <= 2 * allowance).all()


def run_conv(case, way):
    x, kernel = np.moveaxis(case.inputs[0], 1, -1), case.inputs[1].transpose(2, 3, 1, 0)
    padding = "same" if any(case.ints("pads", [0] * 4)) else "valid"
    model = way(x.shape[1:], kernel.shape[3], 1, padding, x.dtype)
    model.set_parameters({**model.get_parameters(), "conv_weight": kernel})
    stages = Stages(arbiter, padding, Rounding.of(x.dtype))
    allowance = stages.conv(x.astype(np.float64), kernel.astype(np.float64)).allowance
    agree(model.forward_stage("conv", x), np.moveaxis(case.outputs[0], 1, -1), allowance)


def run_pool(case, way):
    x, wanted = np.moveaxis(case.inputs[0], 1, -1), np.moveaxis(case.outputs[0], 1, -1)
    n, h, w, f = x.shape
    model = way((h, w, 1), f, 1, "same", x.dtype)
    found = model.forward_stage("pool", x)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    if len(case.outputs) > 1:  # which pixel was the maximum: the one that our gradient goes to
        assert n == f == 1
        order = "F" if case.attributes.get("storage_order", 0) else "C"
        upstream = np.arange(1, wanted.size + 1, dtype=x.dtype).reshape(wanted.shape)
        routed = np.zeros(h * w, x.dtype)
        routed[case.outputs[1].ravel()] = upstream.ravel()
        dx = model.backward_stage("pool", x, upstream)["conv"]
        np.testing.assert_array_equal(dx[0, :, :, 0], routed.reshape((h, w), order=order))


def run_softmax(case, way):
    wanted = case.outputs[0].reshape(-1, case.outputs[0].shape[-1])
    logits = case.inputs[0].reshape(wanted.shape)
    model = way((3, 3, 1), 1, wanted.shape[1], "same", logits.dtype)
    allowance = allowing(logits.dtype).probabilities(Bounded.exact(logits)).allowance
    agree(model.forward_stage("probabilities", logits), wanted, allowance)


def run_loss(case, way):
    """Ours is the mean over a batch; of one row it is the loss of that row, and of another label a log-probability."""
    logits, labels = case.inputs
    model = way((3, 3, 1), 1, logits.shape[1], "same", logits.dtype)
    stages = allowing(logits.dtype)

    def loss(rows, labels):
        return model.forward_stage("loss", rows, labels), stages.loss(Bounded.exact(rows), labels).allowance

    def row_by_row(labels):
        return map(
            np.array, zip(*(loss(logits[n : n + 1], labels[n : n + 1]) for n in range(len(logits))), strict=True)
        )

    reduction = case.attributes.get("reduction", b"mean")
    if reduction == b"mean":
        agree(*_with(case.outputs[0], *loss(logits, labels)))
    else:
        found, allowance = row_by_row(labels)
        if reduction == b"sum":
            # one more sum of N terms, each within its own allowance
            slack = Rounding.of(logits.dtype).short(len(found)) * found.sum()
            found, allowance = found.sum(), allowance.sum() + slack
        agree(*_with(case.outputs[0], found, allowance))
    if len(case.outputs) > 1:
        for k in range(logits.shape[1]):
            found, allowance = row_by_row(np.full(len(logits), k))
            agree(-found, case.outputs[1][:, k], allowance)


def _with(wanted, found, allowance):
    return np.asarray(found), np.asarray(wanted), np.asarray(allowance)


def run_dense(case, way):
    x, weight = case.inputs[0], case.inputs[1].T if case.attributes.get("transB", 0) else case.inputs[1]
    bias = case.inputs[2].ravel() if len(case.inputs) > 2 else np.zeros(weight.shape[1], x.dtype)
    n, inputs = x.shape
    model = way((3, 3, 1), inputs, len(bias), "same", x.dtype)  # one place, `inputs` filters
    model.set_parameters({**model.get_parameters(), "dense_weight": weight, "dense_bias": bias})
    pooled = x.reshape(n, 1, 1, inputs)
    allowed = allowing(x.dtype).dense(Bounded.exact(pooled), weight.astype(np.float64), bias.astype(np.float64))
    agree(model.forward_stage("logits", pooled), case.outputs[0], allowed.allowance)


RUNNERS = {
    "Conv": run_conv,
    "MaxPool": run_pool,
    "Softmax": run_softmax,
    "SoftmaxCrossEntropyLoss": run_loss,
    "Gemm": run_dense,
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_the_case_agrees(case, way):
    RUNNERS[case.operators[0]](case, way)


def test_which_cases_ran_and_why_not_the_others():
    reasons = {case.name: why_not(case) for case in CASES}
    for case in CASES:
        print(f"{'ran' if reasons[case.name] is None else 'not run':<8}{case.name}: {reasons[case.name] or 'agrees'}")
    for reason, count in Counter(filter(None, reasons.values())).most_common():
        print(f"{count:>4} not run: {reason}")
    print(f"{len(OURS)} of {len(CASES)} cases ran, {len(CASES) - len(OURS)} not")
    assert len(reasons) == len(CASES)
    assert Counter(case.operators[0] for case in OURS) == RUN
    assert len(CASES) - len(OURS) == NOT_RUN


def test_a_wrong_stage_fails_its_cases():
    """Every operator has a case that tells it from a likely mistake."""

    class Wrong(Layers):
        def forward_stage(self, stage, x, labels=None):
            self.conv.weight = self.conv.weight[::-1]
            if stage == "pool":
                return np.asarray(x)[:, 1::2, 1::2][:, : x.shape[1] // 2, : x.shape[2] // 2] - 1
            return super().forward_stage(stage, x, labels) * self.dtype.type(1.001)

    for operator, run in RUNNERS.items():
        with pytest.raises(AssertionError):
            for case in OURS:
                if case.operators[0] == operator:
                    run(case, Wrong)
