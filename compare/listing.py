"""`compare.implementations`: which implementations there are, and which of them can run here."""

import pandas as pd

from compare import contract
from compare.cells import cells
from compare.progress import progress_bar

COLUMNS = ["implementation", "package", "version", "available", "reason", "install"]
LIMIT = 120  # seconds for an import


def implementations(names=None, progress=None):
    """Import every implementation in a process of its own and say what came of it.

    Args:
        names: names or prefixes, None for all.
        progress: as for `compare.parity`.
    Returns:
        DataFrame of COLUMNS: version of the framework, whether it imports, the reason where not, and the line to
        type in a checkout that installs it.
    Raises:
        ValueError: an unknown name.
    """
    chosen = contract.select(names)
    specs = [{"task": "import", "implementation": name, "threads": 1, "limit": LIMIT} for name in chosen]
    with progress_bar(len(specs), "import", progress) as bar:
        results = cells.run(specs, 2, lambda _: bar.update())
    rows = []
    for result in results:
        entry = contract.ENTRIES[result.spec["implementation"]]
        good = result.status == "ok"
        version = result.meta.get("version", "")
        install = "" if good else entry.install
        rows.append((entry.name, entry.package, version, good, "" if good else result.error, install))
    return pd.DataFrame(rows, columns=COLUMNS)
