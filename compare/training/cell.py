"""Trainings from the inside of a cell: the same batches for all, and what is kept of them on the way."""

import time

import numpy as np

from compare import contract, params
from compare.cells import cells, limits
from compare.verdict.probes import scaled

WATCHED = 1000  # test images, the first ones, that are predicted between the ends of epochs too
PARTS = 20  # of a training, at the least, after which it is looked at
SNAPSHOTS = 1 << 25  # bytes of parameters that one cell may give back
SHOWN = 64 * 64  # pixels of an image that is shown on its way, at most


def batch_order(seed, epoch, count):
    """The order of the training images in one epoch: the same for every implementation, (count,) int64."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def looked_at(steps, epochs):
    """After which steps of a training it is looked at, sorted: 0, 1, 2, 5, 10, 20, ..., PARTS times, and each epoch.

    Args:
        steps: in an epoch.
        epochs: of the training.
    """
    parts = -(-PARTS // epochs)
    last = steps * epochs
    early = (digit * 10**power for power in range(len(str(last))) for digit in (1, 2, 5))
    evenly = (epoch * steps + steps * part // parts for epoch in range(epochs) for part in range(1, parts + 1))
    return sorted({0, *(step for step in early if step < last), *evenly})


def kept_at(points, numbers, trainings):
    """Which of the points the parameters are kept at: all, or as many as there is room for, the last among them."""
    room = SNAPSHOTS // (4 * numbers * trainings)
    if room < 3:
        return set()
    apart = -(-len(points) // room)
    return {points[0], *points[::-apart]}


def moved(parameters, seed, twin):
    """The parameters, each that is not 0 moved by one unit in its last place, up or down as it is drawn."""
    rng = np.random.default_rng([seed, twin, 5])
    found = {}
    for name, value in parameters.items():
        towards = np.where(rng.random(value.shape) < 0.5, -np.inf, np.inf).astype(value.dtype)
        found[name] = np.where(value == 0, value, np.nextafter(value, towards))
    return found


def flat(parameters):
    """All parameters, one after the other in the order of the contract: (n,)."""
    return np.concatenate([parameters[name].ravel() for name in contract.PARAMETERS])


def unflat(numbers, shapes):
    """The parameters by name out of `flat`."""
    ends = np.cumsum([int(np.prod(shapes[name])) for name in contract.PARAMETERS])
    parts = np.split(numbers, ends[:-1])
    return {name: part.reshape(shapes[name]) for name, part in zip(contract.PARAMETERS, parts, strict=True)}


def train(spec, implementation):
    """Some trainings of one implementation, inside a cell.

    Args:
        spec: `trainings`, a list of [start, seed]; start is "same", "own", or "moved-1", "moved-2", ...: the same start
            `moved` by a unit in the last place. `walk`: a file with an image, its label and parameters, or None.
    Returns:
        arrays: for each training, as "start|seed|what": `steps` (S,), those whose parameters are kept, `parameters`
            (S, n) and `predicted` (S', watched), classes at all points; not of an own start. `last|predicted` and
            `last|sure` (test images,) of the first training; "walk|quantity" of the image that is shown on its way.
        meta: {"trainings": rows by "start|seed"}, {"diverged": {} or the epoch, step and a note of where}.
    Raises:
        contract.NotOfferedError: it has no training step.
    """
    given, _ = cells.read_arrays(spec["inputs"])
    images = scaled(given["train_images"]).astype(np.float32)
    shape = tuple(map(int, images.shape[1:]))
    arrays: dict = {}
    found: dict = {}
    for number, (start, seed) in enumerate(spec["trainings"]):
        model = implementation(shape, dtype="float32", seed=seed)
        if not hasattr(model, "step"):
            raise contract.NotOfferedError("it has no training step")
        if start != "own":
            begin = {
                name: value.astype(np.float32) for name, value in params.start_parameters(shape, seed=seed).items()
            }
            model.set_parameters(moved(begin, seed, int(start.removeprefix("moved-"))) if start != "same" else begin)
        run = _Training(spec, model, given, images, seed)
        run.run()
        found[f"{start}|{seed}"] = {"rows": run.rows, "diverged": run.diverged}
        if start == "own" or run.diverged:
            continue
        kept: dict[str, list] = {"steps": run.kept, "parameters": run.parameters, "predicted": run.predicted}
        arrays |= {f"{start}|{seed}|{name}": np.array(value) for name, value in kept.items() if len(value)}
        if number == 0 and start == "same":
            p = predictions(model, given["test_images"])
            arrays |= {"last|predicted": p.argmax(axis=1).astype(np.uint16), "last|sure": p.max(axis=1)}
            arrays |= _walk(spec, model, given)
    return arrays, {"trainings": found}


class _Training:
    """One training on its way: rows at the points where it is looked at."""

    def __init__(self, spec, model, given, images, seed):
        self.spec, self.model, self.given, self.images, self.seed = spec, model, given, images, seed
        self.labels = given["train_labels"]
        self.rows: list[dict] = []
        self.kept: list[int] = []
        self.parameters: list[np.ndarray] = []
        self.predicted: list[np.ndarray] = []
        self.diverged: dict = {}

    def run(self):
        """All epochs, or until it diverges."""
        size, epochs = self.spec["batch_size"], self.spec["epochs"]
        firsts = range(0, len(self.images), size)
        points = looked_at(len(firsts), epochs)
        numbers = sum(value.size for value in self.model.get_parameters().values())
        kept = kept_at(points, numbers, len(self.spec["trainings"]))
        wanted = set(points)
        self._look(0, 0.0, 0.0, float("nan"), 0 in kept)
        step, seconds, total, seen = 0, 0.0, 0.0, 0
        for epoch in range(1, epochs + 1):
            order = batch_order(self.seed, epoch, len(self.images))
            begin = time.perf_counter()
            for number, first in enumerate(firsts, 1):
                batch = order[first : first + size]
                loss = self.model.step(self.images[batch], self.labels[batch], self.spec["learning_rate"])
                step += 1
                if not np.isfinite(loss):
                    why = f"the loss of step {number} of {len(firsts)} in epoch {epoch} is {loss}"
                    self.diverged = {"epoch": epoch, "step": step, "note": why}
                    return
                total += loss * len(batch)
                seen += len(batch)
                if step in wanted:
                    seconds = time.perf_counter() - begin
                    lost = self._look(step, step / len(firsts), seconds, total / seen, step in kept)
                    if number == len(firsts) and lost > 0.5:
                        share = f"the right class has probability 0 or NaN in {lost:.0%} of the test images"
                        self.diverged = {"epoch": epoch, "step": step, "note": f"after epoch {epoch} {share}"}
                        self.rows.pop()
                        return
                    total, seen, begin = 0.0, 0, time.perf_counter()

    def _look(self, step, epoch, seconds, loss, keep):
        """Add a row, and return the share of images whose loss is beyond float32."""
        whole = epoch == int(epoch)
        labels = self.given["test_labels"]
        p = predictions(self.model, self.given["test_images"][: None if whole else WATCHED])
        row = {"step": step, "epoch": epoch, "seconds": seconds, "train_loss": loss}
        accuracy, mean, lost = scores(p, labels[: len(p)])
        if whole:
            row |= {"test_accuracy": accuracy, "test_loss": mean}
        if whole and len(p) > WATCHED:
            accuracy, mean, _ = scores(p[:WATCHED], labels[:WATCHED])
        self.rows.append(row | {"watched_accuracy": accuracy, "watched_loss": mean})
        self.predicted.append(p[:WATCHED].argmax(axis=1).astype(np.uint16))
        if keep:
            self.kept.append(step)
            self.parameters.append(flat(self.model.get_parameters()))
        return lost


def predictions(model, images):
    """Probabilities of uint8 images, (N, K)."""
    most = limits.PREDICTED
    chunks = (images[first : first + most] for first in range(0, len(images), most))
    return np.concatenate([model.predict(scaled(chunk).astype(np.float32)) for chunk in chunks])


def scores(p, labels):
    """(accuracy, loss, the share of images whose loss is beyond float32) of probabilities p (N, K).

    The loss is the mean of -ln p of the right class, p no smaller than float32's smallest normal number. Where that
    stands in for most of the p, the mean is no loss any more.
    """
    tiny = np.finfo(np.float32).tiny
    chosen = p[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(np.maximum(chosen, tiny)).mean()
    return float((p.argmax(axis=1) == labels).mean()), float(loss), float((~(chosen >= tiny)).mean())


def _walk(spec, model, given):
    """Activations and gradients of one image with given parameters, or of the first test image with the model's own."""
    if spec["walk"] is None:
        image, label, numbers = given["test_images"][0], given["test_labels"][0], model.get_parameters()
    else:
        walk, _ = cells.read_arrays(spec["walk"])
        image, label, numbers = walk["image"], walk["label"], walk
    if not (hasattr(model, "activations") and hasattr(model, "gradients")) or np.prod(image.shape[:2]) > SHOWN:
        return {}
    model.set_parameters({name: numbers[name] for name in contract.PARAMETERS})
    x, y = scaled(image[None]).astype(np.float32), np.asarray(label)[None]
    try:
        found = {**model.activations(x, y), **{f"d_{name}": v for name, v in model.gradients(x, y).items()}}
    except contract.NotOfferedError:
        return {}
    return {f"walk|{name}": np.asarray(value) for name, value in found.items()}
