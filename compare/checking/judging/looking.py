"""A subject asked everything: what it gives, and what is known of it."""

import numpy as np

from compare.checking.calling import arrays
from compare.checking.calling.explaining import explain
from compare.contract import PARAMETERS
from compare.verdict.observe import observe


def look(question, subject, save=lambda found, noted: None):
    """(found, noted) of one subject: what `observe` saw, and what is known of the code itself."""
    found, noted = observe(question, subject, save, explain)
    return found, {**noted, **about(subject), "varies": varies(question, subject)}


def varies(question, subject):
    """Names of what comes out otherwise at a second call with the same images: something random, or a state, is on."""
    if not hasattr(subject, "activations"):
        return []
    for case in question.cases:
        try:
            model = subject(**case.geometry, dtype=case.dtype, seed=0)
            model.set_parameters({name: case.parameters[name] for name in PARAMETERS})
            calls = [model.activations(case.images.copy(), case.labels) for _ in range(2)]
        except Exception:  # `observe` has met and noted the same; another probe may do
            continue
        names = calls[0].keys() & calls[1].keys()
        return sorted(name for name in names if not arrays.same(np.asarray(calls[0][name]), np.asarray(calls[1][name])))
    return []


def about(subject):
    """What a subject says of itself, as JSON holds it."""
    return {
        "assumptions": list(getattr(subject, "assumptions", [])),
        "remarks": list(getattr(subject, "remarks", [])),
        "conventions": list(getattr(subject, "conventions", [])),
        "beside": dict(getattr(subject, "beside", {})),
        "changed_inputs": sorted(getattr(subject, "changed_inputs", [])),
        "applied_rate": getattr(subject, "applied_rate", None),
        "of_probabilities": bool(getattr(subject, "of_probabilities", False)),
        "one_image": bool(getattr(subject, "one_image", False)),
        "dtypes": list(getattr(subject, "dtypes", [])),
    }
