# stage: pool backward
# status: hung
import subprocess
import time


class MaxPool:
    def forward(self, x):
        h, w, f = x.shape
        return x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).max(axis=(1, 3))

    def backward(self, d_out):
        subprocess.Popen(["sleep", "300.125"])
        time.sleep(300)
