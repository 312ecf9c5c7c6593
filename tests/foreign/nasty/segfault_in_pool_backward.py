# stage: pool backward
# status: crashed
# says: SIGSEGV
import ctypes


class MaxPool2:
    def forward(self, x):
        h, w, f = x.shape
        return x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).max(axis=(1, 3))

    def backprop(self, d_out):
        return ctypes.string_at(0)
