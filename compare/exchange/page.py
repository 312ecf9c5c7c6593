"""The page that lies beside the probes: on one screen, what to compute, and how the arrays lie."""

from compare.contract import PARAMETERS
from compare.exchange.layout import SUFFIX
from compare.graph import AXES, QUANTITIES, STEPS
from compare.verdict.probes import LEARNING_RATE

FORMS = {
    "npy": "`.npy` files of version 1.0 (little-endian; in C order, the last axis fastest, or as their header says)",
    "raw": "little-endian numbers and nothing else, the last axis fastest",
}
WHAT = {
    "conv": "3x3 cross-correlation, stride 1; `same` has a border of zeros",
    "pool": "maximum of each 2x2, stride 2; an odd last row or column is left out",
    "dense": "pool as a row of P*Q*F numbers in this order, times dense_weight, plus dense_bias",
    "probabilities": "softmax over K; some logits are 1e5",
    "loss": "mean over N of -ln(probability of the label)",
    "loss_backward": "up_loss * (probabilities - (1 at the label, else 0)) / N",
    "dense_backward": "up_logits taken back through the dense layer",
    "pool_backward": "up_pool, to the first maximum of each 2x2 in row order; else 0",
    "conv_backward": "up_conv taken back through the convolution",
}

PAGE = """\
# What to compute

A line in `cases.txt` for each folder: `folder dtype padding steps N H W C F K` (the same is in `manifest.json`). Read
what is in its `given/`, write what you have into its `alone/` and `run/`, in its dtype, as NAME{suffix}:
{form}.
What you leave out, whole folders too, is not judged. Then: `python -m compare judge` with this folder.

N images, H rows, W columns, C channels, F filters, K classes. Y, X = H - 2, W - 2, with padding `same` H, W;
P, Q = Y/2, X/2, rounded down. `labels` (N) are int32. `d_x` is the gradient with respect to `x`, and has its axes.
Given: images ({images}), {parameters};
inputs of stages alone: conv, pool, logits; upstream gradients of the same: up_conv, up_pool, up_logits, up_loss.

`alone/`: each stage by itself, of what is given.

| write | of | axes | what |
|---|---|---|---|
{alone}

`run/`: a whole pass, each stage on what yours gave before it. Of images and weights {forward};
of the loss {backward}. If you like also:

| write | what |
|---|---|
| predict | (N, K), probabilities as your prediction gives them |
| kept_images, {kept} | images after the pass, weights after the gradients |
| step_loss, {stepped} | the loss, and the weights after one step: weight - {rate} * d_weight |

`path.*` hold a training path: images (steps, N, H, W, C), labels (steps, N), a batch each. Go {steps} steps of SGD at
rate {rate}; into `path/` write loss (steps), each before its step, and the three weights (steps + 1, ...): at the
start, then after each step. Into `head/`, only where dense layer and softmax are one function:
{head}.
"""


def page(form, asked):
    """The text of the page, for files of a format and `layout.Folder`s."""
    forward, backward = (
        ", ".join(name for step in STEPS if step.backward == back for name in step.gives) for back in (False, True)
    )
    return PAGE.format(
        suffix=SUFFIX[form],
        form=FORMS[form],
        images=", ".join(AXES["images"]),
        parameters=", ".join(f"{name} ({', '.join(AXES[name])})" for name in PARAMETERS).replace("R", "P*Q*F"),
        alone="\n".join(map(_row, STEPS)),
        forward=forward,
        backward=backward,
        kept=", ".join(f"kept_{name}" for name in PARAMETERS),
        stepped=", ".join(f"step_{name}" for name in PARAMETERS),
        head=", ".join(QUANTITIES["head"]),
        rate=LEARNING_RATE,
        steps=max(each.steps for each in asked),
    )


def _row(step):
    """A line of the table of stages: what a step gives, of what, its axes, and how."""
    given = [name.replace("d_", "up_", 1) for name in step.takes]
    given += ["up_loss"] if step.function == "loss_backward" else []
    axes = " ".join(_axes(name) for name in step.gives) if not step.backward else ""
    return f"| {', '.join(step.gives)} | {', '.join(given)} | {axes} | {WHAT[step.function]} |"


def _axes(name):
    return f"({', '.join(AXES[name])})" if AXES[name] else "one number"
