"""Progress on stderr, and none where it is piped."""

import contextlib
import sys
from collections import Counter

_shown: list = []  # bars, the innermost last


@contextlib.contextmanager
def progress_bar(total, title, show=None):
    """A tqdm bar, to be used in a `with`; silent where `show` is False, or None and stderr is no terminal."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty() if show is None else not show
    with tqdm(total=total, desc=title, disable=hidden, leave=False, file=sys.stderr) as bar:
        _shown.append(bar)
        try:
            yield bar
        finally:
            _shown.pop()


def running(names):
    """Say beside the innermost bar, and the time that it expects, what is at work."""
    if _shown:
        counts = Counter(names)
        _shown[-1].set_postfix_str(", ".join(f"{n} x {name}" if n > 1 else name for name, n in counts.items()))
