"""Progress on stderr, and none where it is piped."""

import sys


def progress_bar(total, title, show=None):
    """A tqdm bar, to be used in a `with`; silent where `show` is False, or None and stderr is no terminal."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty() if show is None else not show
    return tqdm(total=total, desc=title, disable=hidden, leave=False, file=sys.stderr)
