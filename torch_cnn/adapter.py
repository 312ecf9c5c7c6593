"""The network with NumPy arrays at the border: activations, gradients, stages, steps, files."""

import io
import zipfile

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses

from torch_cnn import checks, layout
from torch_cnn.checks import STAGES
from torch_cnn.model import CNN, train_step
from torch_cnn.plain_files import one_line, read_regular, replacing, unpacked, zip_members

TIMES, BESIDE = 10, 1 << 16  # a file is at most ten times as large as its parameters, and this


def configure(threads: int) -> None:
    """Set the threads PyTorch uses within and between operations. Call it before anything runs.

    Raises:
        ValueError: threads below 1.
        RuntimeError: from PyTorch, once it is too late.
    """
    checks.check_positive("threads", threads)
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


class Adapter:
    """`CNN` and plain SGD. Images are (N, H, W, C) floats, already scaled; labels (N,) ints; see `layout`.

    Args:
        input_shape, filters, classes, padding: as for `CNN`.
        dtype: one of `dtypes`, of parameters and all arithmetic; NumPy has no bfloat16, arrays are of float32 there.
        seed: of PyTorch's own start values; the global generator is left as it was.
    Raises:
        ValueError: from every method, for input of another shape, dtype or range; the message says which, what was
            found and what was wanted.
    """

    dtypes = checks.DTYPES

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        name, self.dtype = checks.float_dtype(dtype)
        self._native_dtype = getattr(torch, name)
        # of one example; the upstream gradient of a stage has the shape of the next one's input
        self._inputs = checks.stage_inputs(input_shape, filters, classes, padding)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            self.model = CNN(input_shape, filters, classes, padding).to(self._native_dtype)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self._pooled = self._inputs["logits"][:2]
        self._shapes = {name: value.shape for name, value in self.get_parameters().items()}

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return layout.from_state_dict(self.model.state_dict(), self._pooled)

    def set_parameters(self, parameters):
        """Take copies of the same, cast to `dtype`."""
        checks.check_parameters(parameters, self._shapes)
        cast = {name: np.asarray(parameters[name], self.dtype) for name in self._shapes}
        self.model.load_state_dict(layout.to_state_dict(cast, self._pooled))

    def activations(self, images, labels):
        """Of one batch: conv (N, H', W', F), pool (N, P, Q, F), logits and probabilities (N, K), loss ()."""
        x, y = self._batch(images, labels)
        with torch.no_grad():
            seen = self._observe(x)
            seen["probabilities"] = torch.softmax(seen["logits"], dim=1)
            seen["loss"] = F.cross_entropy(seen["logits"], y)
        return {stage: layout.to_array(seen[stage]) for stage in STAGES}

    def gradients(self, images, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing."""
        x, y = self._batch(images, labels)
        seen = self._observe(x.requires_grad_())
        sources = {name: seen[name] for name in ("logits", "pool", "conv")} | {"images": x} | self._native()
        return self._grad(F.cross_entropy(seen["logits"], y), sources)

    def forward_stage(self, stage, x, labels=None):
        """One of `STAGES` alone, of an input of its own; "loss" needs labels."""
        x, y = self._stage_input(stage, x, labels)
        with torch.no_grad():
            return layout.to_array(self._stage(stage, x, y))

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards, given its input and the upstream gradient (a scalar for "loss").

        "conv" gives images and conv_weight; "pool" gives conv; "logits" gives pool, dense_weight and dense_bias;
        "loss" gives logits.
        """
        before = {"loss": "logits", "logits": "pool", "pool": "conv", "conv": "images"}
        weights = {"logits": ("dense_weight", "dense_bias"), "conv": ("conv_weight",)}
        checks.check_choice("stage", stage, before)
        x, y = self._stage_input(stage, x, labels)
        after = () if stage == "loss" else (len(x), *self._inputs[STAGES[STAGES.index(stage) + 1]])
        checks.check_floats("upstream", upstream, after)
        upstream = self._tensor(upstream)
        native = self._native()
        sources = {before[stage]: x.requires_grad_()} | {name: native[name] for name in weights.get(stage, ())}
        return self._grad(self._stage(stage, x, y), sources, upstream)

    def step(self, images, labels, learning_rate):
        """One update by plain SGD; returns the loss of the batch before it."""
        x, y = self._batch(images, labels)
        self.optimizer.param_groups[0]["lr"] = checks.check_rate(learning_rate)
        return train_step(self.model, self.optimizer, x, y).item()

    def predict(self, images):
        """Probabilities (N, K), all images at once."""
        with torch.inference_mode():
            return layout.to_numpy(torch.softmax(self.model(self._images(images)), dim=1))

    def save(self, path):
        """Write the state_dict with `torch.save`, whole or not at all."""
        with replacing(path) as temporary:
            torch.save(self.model.state_dict(), temporary)

    def load(self, path):
        """Take the parameters of a file that `save`, or `torch.save` of a CNN's state_dict, wrote.

        Raises:
            ValueError: a damaged or truncated file, or no regular one, other names, shapes or dtype, numbers that are
                not finite; the message is one line that begins with the path, and the model is as it was.
            OSError: the file cannot be read.
        """
        size = sum(value.nbytes for value in self.model.state_dict().values())
        content = read_regular(path, TIMES * size + BESIDE)
        try:
            members = zip_members(content)
            if sum(info.file_size for info in members.values()) > len(content):
                raise ValueError("found packed members, wanted stored ones")
            # PyTorch's own reader of zip files takes what this one would not: of a member marked as a folder it reads
            # nothing and hands out memory as it lies. So it gets a file written anew, of what was read and checked here
            with io.BytesIO() as checked:
                with zipfile.ZipFile(checked, "w") as archive:
                    for name, info in members.items():
                        archive.writestr(name, unpacked(content, info))
                checked.seek(0)
                state = torch.load(checked, map_location="cpu", weights_only=True)
            layout.check_state_dict(state, self.model.state_dict())
            self.set_parameters(layout.from_state_dict(state, self._pooled))
        except Exception as error:  # whatever a damaged file provokes in the unpickler or PyTorch
            raise ValueError(f"{path}: found no intact state_dict of such a CNN: {one_line(error, 600)}") from error

    def _observe(self, x):
        """One forward pass; conv, pool and logits as they pass by the model's own layers."""
        seen = {}
        watched = {"conv": self.model.conv, "pool": self.model.pool}
        hooks = [
            layer.register_forward_hook(lambda _layer, _inputs, output, name=name: seen.update({name: output}))
            for name, layer in watched.items()
        ]
        try:
            seen["logits"] = self.model(x)
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    def _stage(self, stage, x, y):
        if stage == "logits":
            return self.model.dense(x.flatten(1))
        if stage == "probabilities":
            return torch.softmax(x, dim=1)
        return F.cross_entropy(x, y) if stage == "loss" else getattr(self.model, stage)(x)

    def _tensor(self, array):
        return layout.to_tensor(array, self.dtype).to(self._native_dtype)

    def _native(self):
        return {name: self.model.get_parameter(native) for name, native in layout.NAMES.items()}

    def _grad(self, output, sources, upstream=None):
        found = zip(sources, torch.autograd.grad(output, list(sources.values()), upstream), strict=True)
        return {
            name: layout.parameter_to_array(name, grad, self._pooled) if name in layout.NAMES else layout.to_array(grad)
            for name, grad in found
        }

    def _images(self, images):
        checks.check_floats("images", images, ("N", *self._inputs["conv"]))
        return self._tensor(images)

    def _batch(self, images, labels):
        x = self._images(images)
        return x, self._labels(labels, len(x))

    def _labels(self, labels, count):
        return torch.from_numpy(checks.check_labels(labels, count, self._inputs["loss"][0]))

    def _stage_input(self, stage, x, labels):
        checks.check_choice("stage", stage, STAGES)
        checks.check_floats(f"x of stage {stage}", x, ("N", *self._inputs[stage]))
        x = self._tensor(x)
        return x, self._labels(labels, len(x)) if stage == "loss" else None
