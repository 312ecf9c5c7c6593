"""Arrays as pictures: a digit on its way through the network, its gradients, the filters, the digits that are misread.

Where implementations agree their pictures look alike, so the reference's is shown once, and of the others the
difference to it, amplified until it can be seen.
"""

import base64
import io

import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from PIL import Image

FORWARD = ("conv", "pool", "probabilities")
BACKWARD = ("d_pool", "d_conv", "d_images", "d_conv_weight")
SHOWN = 12  # misread digits
GAP = 1  # pixels between the maps of a strip


def gathered(shown, reference, dataset):
    """All that pages show besides tables: `walk` and `misread`, rows of numbers; `arrays`, `digits` and `digit` to
    draw.

    Args:
        shown: of `training.Trained`.
        reference: its name, or None.
        dataset: `compare.images.data.Dataset`.
    """
    digits = dataset.test_images, dataset.test_labels
    label = int(digits[1][0])
    return {
        "arrays": {name: shown[name] for name in sorted(shown, key=lambda name: name != reference)},
        "walk": walk_rows(shown, reference),
        "misread": misread_rows(shown, digits),
        "digits": digits,
        "digit": {"label": label, "picture": _digit(digits[0][0], f"test image 0, a {label}")},
    }


def walk_rows(shown, reference):
    """How far each implementation is from the reference in each quantity of the digit's way, and its filters after
    training.

    Returns:
        dicts of implementation, quantity, largest (of the reference's absolute values), difference (the largest) and
        amplified: the power of ten by which the difference is drawn, 0 where there is none.
    """
    rows = []
    first = shown.get(reference, {})
    for name, found in shown.items():
        pairs = [(quantity, found.get("walk", {}), first.get("walk", {})) for quantity in (*FORWARD, *BACKWARD)]
        pairs.append(("conv_weight", found.get("after", {}), first.get("after", {})))
        for quantity, mine, wanted in pairs:
            if name == reference or quantity not in mine or quantity not in wanted:
                continue
            largest = float(np.abs(wanted[quantity]).max())
            difference = float(np.abs(mine[quantity].astype(float) - wanted[quantity]).max())
            amplified = 10.0 ** np.floor(np.log10(largest / difference)) if largest and difference else 0.0
            row = {"implementation": name, "quantity": quantity, "largest": largest}
            rows.append(row | {"difference": difference, "amplified": float(amplified)})
    return rows


def misread_rows(shown, digits):
    """The first test images that any implementation reads wrongly, with what each reads and how sure it is of it.

    Args:
        digits: (images, labels) of the test set.
    Returns:
        dicts of image (its number), label, implementation, read, sure: SHOWN images after the first training from the
        same start, those that are not read alike by all before the others.
    """
    answers = {name: found for name, found in shown.items() if "predicted" in found}
    if not answers:
        return []
    labels = digits[1]
    read = np.array([found["predicted"] for found in answers.values()])
    wrong = np.flatnonzero((read != labels).any(axis=0))
    alike = (read == read[0]).all(axis=0)[wrong]
    chosen = wrong[np.argsort(alike, kind="stable")][:SHOWN]
    rows = []
    for image in chosen.tolist():
        for name, found in answers.items():
            row = {"image": image, "label": int(labels[image]), "implementation": name}
            rows.append(row | {"read": int(found["predicted"][image]), "sure": float(found["sure"][image])})
    return rows


def ways(shown, reference, rows, quantities, title):
    """For the template: of the reference its values, then of each other implementation the amplified differences.

    Returns:
        dicts of implementation and cells; a cell is (picture, words), in the order of the quantities.
    """
    first = shown.get(reference, {}).get("walk", {})
    if not first:
        return []
    known = {(row["implementation"], row["quantity"]): row for row in rows}
    cells = []
    for quantity in quantities:
        largest = float(np.abs(first[quantity]).max())
        cells.append((_strip(first[quantity], largest, f"{title(reference)}: {quantity}"), f"up to {largest:.3g}"))
    found = [{"implementation": reference, "cells": cells}]
    for name, mine in shown.items():
        if name == reference or "walk" not in mine:
            continue
        cells = []
        for quantity in quantities:
            row = known[name, quantity]
            difference = (mine["walk"][quantity].astype(float) - first[quantity]) * row["amplified"]
            words = f"difference × {row['amplified']:.0e}" if row["amplified"] else "no difference"
            picture = _strip(difference, row["largest"], f"{title(name)}: {quantity}, {words}")
            cells.append((picture, f"{words}, at most {row['difference']:.1e}" if row["amplified"] else words))
        found.append({"implementation": name, "cells": cells})
    return found


def filters(shown, reference, rows, title):
    """For the template: filters before and after training, and their difference to the reference's, amplified."""
    known = {row["implementation"]: row for row in rows if row["quantity"] == "conv_weight"}
    found = []
    for name, mine in shown.items():
        if "after" not in mine:
            continue
        weights = {when: mine[when]["conv_weight"] for when in ("before", "after")}
        largest = max(float(np.abs(weight).max()) for weight in weights.values())
        cells = [
            (_strip(weight, largest, f"{title(name)}: filters {when} training"), f"up to {np.abs(weight).max():.3g}")
            for when, weight in weights.items()
        ]
        row = known.get(name)
        if row is None:
            cells.append(("", "the reference"))
        else:
            difference = weights["after"].astype(float) - shown[reference]["after"]["conv_weight"]
            words = f"difference × {row['amplified']:.0e}, at most {row['difference']:.1e}"
            picture = _strip(difference * row["amplified"], row["largest"], f"{title(name)}: filters, {words}")
            cells.append((picture, words if row["amplified"] else "no difference"))
        found.append({"implementation": name, "cells": cells})
    return found


def misread(rows, digits, title):
    """For the template: each misread digit with its picture, its label, and the answers, alike ones together."""
    found: dict = {}
    for row in rows:
        entry = found.setdefault(row["image"], {"image": row["image"], "label": row["label"], "answers": {}})
        entry["answers"].setdefault(row["read"], []).append((title(row["implementation"]), row["sure"]))
    for entry in found.values():
        words = f"test image {entry['image']}, a {entry['label']}"
        entry["picture"] = _digit(digits[0][entry["image"]], words)
    return list(found.values())


def _strip(array, largest, words):
    """Maps (1, H, W, F) beside each other, or numbers (1, K) in a row; red above 0, blue below, white 0."""
    array = np.asarray(array, float)
    if array.ndim == 2:
        array = array[:, None, :, None]
    if array.shape[:2] == (3, 3):  # filters, or their gradient: (3, 3, 1, F)
        array = np.moveaxis(array, 2, 0)[:1]
    maps = np.moveaxis(array[0], -1, 0)
    h, w = maps.shape[1:]
    places = np.round(255 * np.clip(maps / (2 * largest or 1) + 0.5, 0, 1)).astype(np.uint8)
    strip = np.full((h, len(maps) * (w + GAP) - GAP), 127, np.uint8)
    for number, each in enumerate(places):
        strip[:, number * (w + GAP) : number * (w + GAP) + w] = each
    picture = Image.fromarray(strip)
    picture.putpalette((colormaps["RdBu_r"](np.arange(256), bytes=True)[:, :3]).tobytes())
    return _picture(picture, words, "map" if len(maps) == 1 and h > 1 else "strip")


def _picture(picture, words, kind="digit"):
    """A PNG in the page, of a PIL image; how large its pixels are is left to the style of its kind."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    tag = '<img class="{}" src="data:image/png;base64,{}" width="{}" height="{}" alt="{}" title="{}">'
    return Markup(tag).format(kind, data, picture.width, picture.height, words, words)


def _digit(image, words):
    """Dark on light, of uint8 pixels (H, W) or (H, W, C), whose first channel is shown."""
    return _picture(Image.fromarray(255 - (image if image.ndim == 2 else image[..., 0])), words)
