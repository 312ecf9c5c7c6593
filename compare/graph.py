"""The network as one table: what is computed, in which order, of what, by which function, and where it can go wrong.

Orders, modes, words, changed networks and what is expected of an implementation follow from STEPS. Names: `d_x` is the
gradient of the loss with respect to `x`; `kept_x` is x after everything that must not change it, `step_x` x after one
step of SGD, `path_x` x along a path of steps.
"""

from dataclasses import dataclass

PARAMETERS = ("conv_weight", "dense_weight", "dense_bias")

# N batch, H W rows and columns, Y X those after the convolution, P Q after the pool; R = P*Q*F; C F K as everywhere
AXES = {
    "images": "NHWC",
    "conv": "NYXF",
    "pool": "NPQF",
    "logits": "NK",
    "probabilities": "NK",
    "loss": "",
    "conv_weight": "33CF",
    "dense_weight": "RK",
    "dense_bias": "K",
}


@dataclass(frozen=True)
class Step:
    """One function of the network.

    function: its name, wherever the network is written as functions.
    stage: of the contract, as `forward_stage` and `backward_stage` are asked for it.
    words: where it is, for people.
    takes: names of its arguments, the stage's input first; those of the stage "conv" take the padding after these.
    gives: names of what it returns: one, or a tuple.
    """

    function: str
    stage: str
    words: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]

    @property
    def backward(self):
        """Whether it gives gradients."""
        return self.gives[0].startswith("d_")

    @property
    def task(self):
        """The call that asks for this stage alone."""
        return f"{self.stage} {'backward' if self.backward else 'forward'}"


STEPS = (
    Step("conv", "conv", "conv forward", ("images", "conv_weight"), ("conv",)),
    Step("pool", "pool", "pool forward", ("conv",), ("pool",)),
    Step("dense", "logits", "dense forward", ("pool", "dense_weight", "dense_bias"), ("logits",)),
    Step("probabilities", "probabilities", "softmax forward", ("logits",), ("probabilities",)),
    Step("loss", "loss", "loss forward", ("logits", "labels"), ("loss",)),
    Step("loss_backward", "loss", "loss backward", ("logits", "labels"), ("d_logits",)),
    Step(
        "dense_backward",
        "logits",
        "dense backward",
        ("pool", "dense_weight", "d_logits"),
        ("d_pool", "d_dense_weight", "d_dense_bias"),
    ),
    Step("pool_backward", "pool", "pool backward", ("conv", "d_pool"), ("d_conv",)),
    Step("conv_backward", "conv", "conv backward", ("images", "conv_weight", "d_conv"), ("d_images", "d_conv_weight")),
)
FORWARD = {step.stage: step for step in STEPS if not step.backward}
BACK = {step.stage: step for step in STEPS if step.backward}
STEP_OF = {name: step for step in STEPS for name in step.gives}

ACTIVATIONS = tuple(FORWARD)
STAGE_INPUT = {stage: step.takes[0] for stage, step in FORWARD.items()}
# What a stage alone gives when it goes backward, in the order of the backward pass.
BACKWARD = {stage: tuple(name.removeprefix("d_") for name in step.gives) for stage, step in BACK.items()}
GRADIENTS = ("logits", "pool", "conv", "images", *PARAMETERS)

# Along given gradients, without a network.
OPTIMISERS = ("sgd", "momentum", "nesterov", "adam", "adamw")

# The modes: a stage alone; dense layer and softmax in one; a whole pass.
ALONE = tuple(STEP_OF)
HEAD = ALONE[ALONE.index("logits") : ALONE.index("d_conv")]
FIRST_BACK = ALONE.index("d_logits")
UPDATED = ("loss", *PARAMETERS)
RUN = (
    *ALONE[:FIRST_BACK],
    "predict",
    *ALONE[FIRST_BACK:],
    "kept_images",
    *(f"kept_{name}" for name in PARAMETERS),
    *(f"step_{name}" for name in UPDATED),
)
QUANTITIES = {"alone": ALONE, "head": HEAD, "run": RUN}

# What is asked, stage by stage, so that a crash is that of its stage: mode, and the method without which it is skipped.
TASKS = {
    **{step.task: ("alone", "backward_stage" if step.backward else "forward_stage") for step in STEPS},
    "head": ("head", "head"),
    "activations": ("run", "activations"),
    "predict": ("run", "predict"),
    "gradients": ("run", "gradients"),
    "step": ("run", "step"),
}


def task_of(mode, quantity):
    """The call of TASKS that gives a quantity."""
    if mode == "head":
        return "head"
    if mode == "alone":
        return STEP_OF[quantity].task
    if quantity in ACTIVATIONS:
        return "activations"
    if quantity == "predict":
        return "predict"
    return "step" if quantity.startswith("step_") else "gradients"


def _of(step):
    """What a step gives, gradients of parameters first: those are what trains."""
    return sorted(step.gives, key=lambda name: name.removeprefix("d_") not in PARAMETERS)


# Where each quantity is made, in the order in which a pass makes them: the first that differs is the culprit.
STAGE_OF = {
    "kept_images": "input",
    **{name: step.words for step in FORWARD.values() for name in step.gives},
    "predict": "prediction",
    **{name: step.words for step in BACK.values() for name in _of(step)},
    **{f"kept_{name}": "parameters" for name in PARAMETERS},
    **{f"step_{name}": "update" for name in UPDATED},
    **{f"path_{name}": "training path" for name in UPDATED},
    **{f"update_{name}": "optimiser alone" for name in OPTIMISERS},
}
# Of no network here, judged by themselves where somebody's code has them.
LAYERS_BESIDE = ("layer forward", "layer backward", "activation forward", "activation backward")
BESIDE = (*LAYERS_BESIDE, "network backward", "training step")
STAGES = (*dict.fromkeys(STAGE_OF.values()), *BESIDE)
STAGE_ORDER = {"not run": -1} | {stage: number for number, stage in enumerate(STAGES)}


def follow(call, steps, known):
    """Carry out steps one after the other.

    Args:
        call: call(step, *arguments) gives a tuple, as step.gives.
        steps: of STEPS.
        known: by name, what they take from outside.
    Returns:
        `known`, with what the steps gave.
    """
    for step in steps:
        known = known | dict(zip(step.gives, call(step, *(known[name] for name in step.takes)), strict=True))
    return known
