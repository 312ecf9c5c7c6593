"""Where alone something differs: what those probes have in common, and the ones in which it agrees have not."""


def _sizes(probe):
    return probe.inputs["conv"].shape[1:3]


TRAITS = (
    ("at logits of 1e5", lambda probe: abs(probe.inputs["logits"]).max() > 1e4),
    ("where H != W", lambda probe: probe.images.shape[1] != probe.images.shape[2]),
    ("with padding same", lambda probe: probe.padding == "same"),
    ("with more than one channel", lambda probe: probe.images.shape[3] > 1),
    ("with more than one filter", lambda probe: probe.parameters["conv_weight"].shape[3] > 1),
    ("with more than one image", lambda probe: len(probe.images) > 1),
    ("where a map has an odd side", lambda probe: any(size % 2 for size in _sizes(probe))),
)


def only_where(row, rows, probes):
    """Words for that, of the quantity of a row that differs; "" where nothing tells these probes from the others.

    Args:
        rows: all that there are.
        probes: `Probe`s by (name, dtype).
    """
    alike = [r for r in rows if (r["quantity"], r["mode"]) == (row["quantity"], row["mode"])]
    differs, agrees = (
        [probes[key] for r in alike if r["outcome"] == outcome and (key := (r["probe"], r["dtype"])) in probes]
        for outcome in ("differs", "agrees")
    )
    if not agrees or not differs:
        return ""
    return next((words for words, has in TRAITS if all(map(has, differs)) and not any(map(has, agrees))), "")
