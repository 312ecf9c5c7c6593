"""What the arguments of a method are handed, by their names."""

from compare.checking.calling import words
from compare.checking.calling.arguments import VARIADIC
from compare.contract import NotOfferedError


def unknown(signature):
    """Names of required arguments of a backward that its words say nothing about."""
    known = dict.fromkeys(("rate", "labels", "batch", "x", "out", "cache"))
    required = [p for p in signature.parameters.values() if p.default is p.empty]
    return [p.name for p in required if p.kind not in VARIADIC and _kind(words.plain(p.name), known) is None]


def takes_rate(signature):
    """Whether a method takes a learning rate, by its name; of a single argument it is another word for the gradient."""
    return len(signature.parameters) > 1 and any(words.plain(name) in words.RATES for name in signature.parameters)


def fill(signature, name, given, hands=(), **known):
    """(args, kwargs) of a call, by the names of the arguments; defaults are left alone.

    Args:
        hands: (name, kind) of arguments of which it was found out what they are to be handed.
        given: for the first argument whose name does not say that it is something else.
        known: what else can be handed over, by kind: `rate`, `labels`, `batch` (how many images), `stride`, `padding`,
            and of the way back `x` and `out`, what went into forward and what came out, and `cache`, what forward gave
            beside it.
    Raises:
        NotOfferedError: an argument without default for which nothing is known.
    """
    parameters = [p for p in signature.parameters.values() if p.kind not in VARIADIC]
    kinds = [dict(hands).get(p.name) or _kind(words.plain(p.name), known) for p in parameters]
    required = [p.default is p.empty for p in parameters]
    kinds = [None, *kinds[1:]] if kinds in (["rate"], ["rate", "rate"]) and "x" in known else kinds
    if ("rate", True) in zip(kinds, required, strict=True):  # another of such a name, with a default, is none
        kinds = [kind if kind != "rate" or each else "" for kind, each in zip(kinds, required, strict=True)]
    if "given" in kinds:
        first = kinds.index("given")
    else:
        # labels that are handed over are what is given
        others = () if "labels" in kinds and "labels" in known and "x" in known else ("x", "out", "cache")
        free = [n for n, kind in enumerate(kinds) if kind is None] or [n for n, k in enumerate(kinds) if k in others]
        first = free[0] if free else -1
    positional, keywords = [], {}
    for number, (parameter, kind) in enumerate(zip(parameters, kinds, strict=True)):
        if number == first:
            value = given
        elif kind in known and (required[number] or kind in ("rate", "labels", "training", "stride")):
            value = known[kind]
        elif not required[number]:
            if words.neutral(words.plain(parameter.name)) and isinstance(parameter.default, float):
                keywords[parameter.name] = 0.0  # nothing is added to the gradients
            continue
        elif kind == "training":
            value = False
        elif "rate" in known and sum(required) == 2:
            value = known["rate"]  # the second of two, whatever its name
        else:
            raise NotOfferedError(f"{name} wants {parameter.name}, which nothing is known for")
        if parameter.kind == parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    any_arguments = [p for p in signature.parameters.values() if p.kind == p.VAR_POSITIONAL]
    return ([given], keywords) if first < 0 and any_arguments else (positional, keywords)


def _kind(name, known):
    """What an argument stands for by its plain name: one of `known`, "training", "given" (an upstream gradient)."""
    if name in words.RATES:
        return "rate"
    if name in words.LABELS and "labels" in known:
        return "labels"
    if name in words.TRAINING:
        return "training"
    if name in words.BATCHES:
        return "batch"
    if name in ("stride", "strides", "padding", "pad"):
        return "padding" if name[:3] == "pad" else "stride"
    if "x" not in known:  # on the way forward there is nothing else
        return None
    if (
        name in words.UPSTREAM
        or name.startswith(("dl", "dout", "grad", "delta"))
        or name.endswith(("grad", "gradient"))
    ):
        return "given"
    if name.endswith(words.CACHES):
        return "cache" if "cache" in known else None
    meant = {"x": words.INPUT_WORDS, "out": words.OUTPUT_WORDS}
    return next((kind for kind, names in meant.items() if name in names and kind in known), None)
