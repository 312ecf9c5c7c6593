"""`python -m compare`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder: before anything is imported that a file in it could stand for

    from compare import start

    start.quietly()
    start.by_name()
    start.command()
