"""Trainings of a sweep from the inside of a cell: settings in, a row each out."""

import time

import numpy as np

from compare import params
from compare.cells import cells
from compare.contract import PARAMETERS
from compare.training.cell import batch_order, predictions, scores
from compare.verdict.defects import DEFECTS
from compare.verdict.inserted import inserted
from compare.verdict.probes import scaled
from numpy_cnn.optimisers import OPTIMISERS

NONE = "none"  # stands for the right network where a defect would


class _DivergedError(Exception):
    """The numbers left the finite ones; the message says where."""


def train(spec, implementation):
    """Some trainings of one implementation, one after the other, all from the start weights of their seeds.

    Plain SGD is the implementation's own step. Every other optimiser is that of `numpy_cnn.optimisers`, along the
    gradients of the implementation: `parity --optimisers` holds the frameworks' own against them.

    Args:
        spec: `runs`, dicts of `settings.Settings.cells`; `epochs`; `partial`, a file for the rows so far.
    Returns:
        no arrays, and {"rows": for each run, in their order, its status and numbers}.
    """
    given, _ = cells.read_arrays(spec["inputs"])
    images = scaled(given["train_images"]).astype(np.float32)
    changes = {defect.name: (defect.change,) for defect in DEFECTS}
    rows: list[dict] = []
    for run in spec["runs"]:
        network = implementation if run["defect"] == NONE else inserted(implementation, *changes[run["defect"]])
        rows.append(_row(network, run, spec["epochs"], images, given))
        if len(spec["runs"]) > 1:  # if the next one takes the process with it
            cells.write_result(spec["partial"], {"rows": rows})
    return {}, {"rows": rows}


def _row(network, run, epochs, images, given):
    """The row of one training; what it raises is its status."""
    begin = time.perf_counter()
    training = _Training(network, run, images, given["train_labels"])
    try:
        with np.errstate(all="ignore"):  # some of them diverge
            training.run(epochs)
            seconds = time.perf_counter() - begin
            p = predictions(training.fresh(), given["test_images"])
            accuracy, loss, lost = scores(p, given["test_labels"])
        if lost > 0.5:
            raise _DivergedError(f"the right class has probability 0 or NaN in {lost:.0%} of the test images")
    except _DivergedError as error:
        words = {"status": "diverged", "note": str(error)}
        return words | {"steps": training.steps, "seconds": time.perf_counter() - begin}
    except Exception as error:  # an implementation, or a network with a mistake in it, may raise anything
        return {"status": "raised", "note": f"{type(error).__name__}: {error}"[:500], "steps": training.steps}
    numbers = {"steps": training.steps, "seconds": seconds, "test_accuracy": accuracy, "test_loss": loss}
    return {"status": "trained", "note": "", **numbers}


class _Training:
    """One training in float32."""

    def __init__(self, network, run, images, labels):
        self.network, self.run_, self.images, self.labels = network, run, images, labels
        self.shape = tuple(map(int, images.shape[1:]))
        self.steps = 0
        self.optimiser = OPTIMISERS[run["optimiser"]]()
        self.states: dict = {}

    def run(self, epochs):
        """All epochs. Raises _DivergedError."""
        seed, size = self.run_["seed"], self.run_["batch_size"]
        self.model = self.network(self.shape, dtype="float32", seed=seed)
        start = params.start_parameters(self.shape, seed=seed)
        self.model.set_parameters({name: value.astype(np.float32) for name, value in start.items()})
        for epoch in range(1, epochs + 1):
            order = batch_order(seed, epoch, len(self.images))
            for first in range(0, len(order), size):
                batch = order[first : first + size]
                try:
                    self._step(self.images[batch], self.labels[batch])
                except ValueError as error:
                    if "wanted finite numbers" not in str(error):
                        raise
                    raise _DivergedError(f"in step {self.steps + 1}: {error}"[:500]) from error
                self.steps += 1

    def _step(self, images, labels):
        rate = self.run_["learning_rate"]
        if self.run_["optimiser"] == "sgd":
            loss = self.model.step(images, labels, rate)
            if not np.isfinite(loss):
                raise _DivergedError(f"the loss of step {self.steps + 1} is {loss}")
            return
        gradients, parameters = self.model.gradients(images, labels), self.model.get_parameters()
        for name in PARAMETERS:
            if name not in self.states:
                self.states[name] = self.optimiser.start(parameters[name])
            moved = self.optimiser.update(parameters[name], gradients[name], self.states[name], rate)
            parameters[name], self.states[name] = moved
            if not np.isfinite(parameters[name]).all():
                raise _DivergedError(f"{name} is not finite after step {self.steps + 1}")
        self.model.set_parameters(parameters)

    def fresh(self):
        """The trained network; one with a mistake in it without what it remembers of its training."""
        if self.run_["defect"] == NONE:
            return self.model
        fresh = self.network(self.shape, dtype="float32", seed=self.run_["seed"])
        fresh.set_parameters(self.model.get_parameters())
        return fresh
