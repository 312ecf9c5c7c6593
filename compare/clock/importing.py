"""One cell: how long the import of a module takes in a fresh process. Nothing is imported here before it is timed."""

import importlib
import json
import sys
import time


def main(path):
    """Carry out the spec at `path`: seconds from nothing but Python to `module`, with NumPy and all that it needs."""
    with open(path) as file:  # noqa: PTH123 - pathlib is an import
        spec = json.load(file)
    begin = time.perf_counter()
    importlib.import_module(spec["module"])
    seconds = time.perf_counter() - begin
    from compare.cells.cells import write_result

    write_result(spec["result"], {"status": "ok", "seconds": seconds})


if __name__ == "__main__":
    main(sys.argv[1])
