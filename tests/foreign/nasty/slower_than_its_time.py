# status: unconnected
# says: no time is left of 9 s, --timeout gives it more
# never: HUNG
import time


class MaxPool:
    """Slow, and right: what it is asked once the time is over says nothing against it."""

    def forward(self, x):
        time.sleep(1.5 * (x.shape[1:3] == (26, 26)))
        n, h, w, c = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
