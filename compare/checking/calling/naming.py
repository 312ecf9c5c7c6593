"""What classes and functions may be, by their names."""

import re

from compare.checking.calling import words


def _names(text):
    return tuple(text.split())


_BACK = r"(back|grad|deriv|prime|^d_|bprop|^d[A-Z])"
_STEMS = {
    "conv": r"^(naive_|my_)?conv(3x3|2d|olve|olution)?(?!er|ent)",
    "pool": r"^(naive_|my_)?(max_?pool|avg_?pool|average_?pool|mean_?pool|pool)",
    "logits": r"^(naive_|my_)?(dense|linear|affine|fc|fully_?connect)",
    "probabilities": r"^(stable_)?softmax(?!.*(loss|entropy|cost|accura|score|predict|train))",
    "loss": r"^(softmax_(with_|and_)?)?(categorical_|sparse_|mean_)*"
    r"(cross_?e(ntropy)?|softmax_(loss|cost)|loss|nll|log_?loss|xent|ce_?loss)",
}


def stage_of(name):
    """(stage, whether backward) that a function's name says; None if none."""
    name = name.lstrip("_")
    backward = bool(re.search(_BACK, name))
    bare = re.sub(r"^(d_|backprop_|backward_|grad_|bprop_|forward_|fwd_)", "", name)
    bare = re.sub(r"^d(?=[A-Z])", "", bare).lower()
    for stage in ("loss", "probabilities", "conv", "pool", "logits"):
        if re.match(_STEMS[stage], bare):
            return stage, backward
    return None, backward


# By its name a class may be a layer: the word begins it, or stands in it with a capital letter or after a "_".
_BEGINS = r"(^|_|(?<=[a-z0-9])(?=[A-Z]))"
LAYER_NAMES = {
    stage: re.compile(_BEGINS + words)
    for stage, words in (
        ("conv", r"(?i:conv(?!erge|ert|ention)(?!.*([13]d|transpose))|cnn_?layer)"),
        ("pool", r"(?i:max_?pool|avg_?pool|average_?pool|mean_?pool|pool)"),
        ("logits", r"(?i:dense|fully_?connect|fc(?-i:(?![a-z]))|linear|affine|softmax|output)"),
    )
}

# What is a part of the network, and nothing here can judge as a class.
OTHERS = re.compile(r"loss|entropy|^(sgd|adam|rmsprop|momentum)|optimi[sz]er|trainer|descent|nesterov|adagrad", re.I)
LAST = re.compile("softmax|avg|ave|mean|min", re.I)
NOT_LAYERS = re.compile("^test|loss|entropy|net(work)?$|model|log_?softmax|reshape|flatten|^bn_|batch_?norm", re.I)

# Methods, the usual names first: of the way forward, of the way back, and what a layer may want to be called before.
FORWARDS = _names(
    "forward feedforward __call__ forward_pass call feed_forward forward_propagate forward_propagation "
    "forward_prop forwardprop forwardPropagation forwardPass feedForward fprop _forward _forwards run apply "
    "convolve predict"
)
BACKWARDS = _names(
    "backprop backward back bprop backward_pass backpropagation backpropagate back_propagation back_propagate "
    "backward_propagate backward_propagation backward_prop back_prop backwardPropagation backwardPass backProp "
    "backPropagation backwards _backward gradient"
)
_BACKWARD_LIKE = re.compile("back|bprop|grad|calc.*error", re.I)
_CLEARING = re.compile("_?(zero|reset|clear|flush|init)_?grad", re.I)
PREPARES = _names(
    "initialize init build prepare compile setup init_weights initialize_weights initialize_parameters "
    "init_params init_parameters reset_parameters set_input_shape reset"
)


def backwards_of(methods):
    """Names of the methods that may be the way back: the known ones; without any, those that are named like one."""
    takes = {name: [*map(words.plain, each.parameters)] for name, each in methods.items()}
    upstream = [name for name, each in takes.items() if each and each[0] in words.UPSTREAM and name[:1] != "_"]
    known = [name for name in BACKWARDS if name in methods]
    known = [name for name in known if name[:1] != "_"] or known  # what a public one calls is not asked beside it
    if upstream and any(takes[name] and takes[name][0] in words.RATES for name in known):  # that is the update
        known = [name for name in known if not takes[name] or takes[name][0] not in words.RATES] or upstream
    return known or [
        name
        for name, signature in methods.items()
        if _BACKWARD_LIKE.search(name)
        and name[:1] != "_"
        and sum(p.default is p.empty for p in signature.parameters.values()) < 4
    ]


def unary(methods):
    """Public methods that take one argument, and might be the way forward."""
    return [
        name
        for name, signature in methods.items()
        if name[:1] != "_"
        and re.match("(?i)feed|conv|pool|maxpool|activat|process|eval|compute|.*forward", name)
        and sum(p.default is p.empty for p in signature.parameters.values()) == 1
    ]


def clearing(methods):
    """The method without arguments that puts gradients to 0, by its name; None without one."""
    return next((name for name, each in methods.items() if _CLEARING.match(name) and not each.parameters), None)


# Methods that say what comes out of what comes in, where a layer first hears of it
SHAPES = _names("get_output_shape output_shape compute_output_shape set_shape get_output_dim infer_shape")

# Attributes in which a layer that returns nothing leaves what came out, the usual ones first; and takes what goes in.
OUTPUTS = _names("output out outputs y a z result activation activations featuremap featuremaps")
INPUTS = _names("input inputs x image images inp")
