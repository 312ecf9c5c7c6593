# says: one image at a time
"""A CNN from scratch, all of it in one file. Run it to train on MNIST."""
import numpy as np

rng = np.random.RandomState(1)


class Conv3x3:
    def __init__(self, n):
        self.n = n
        self.w = rng.standard_normal((n, 3, 3)) / 9.0

    def forward(self, img):
        self.img = img
        H, W = img.shape
        res = np.empty((H - 2, W - 2, self.n))
        for y in range(H - 2):
            for x in range(W - 2):
                res[y, x] = (img[y:y+3, x:x+3] * self.w).sum(axis=1).sum(axis=1)
        return res

    def backprop(self, dout, lr):
        dw = np.zeros_like(self.w)
        for y in range(dout.shape[0]):
            for x in range(dout.shape[1]):
                dw = dw + np.multiply.outer(dout[y, x], self.img[y:y+3, x:x+3])
        self.w = self.w - lr * dw


class MaxPool2:
    def forward(self, a):
        self.a = a
        H, W, F = a.shape
        H, W = H // 2, W // 2
        res = np.empty((H, W, F))
        for y in range(H):
            for x in range(W):
                res[y, x] = a[2*y:2*y+2, 2*x:2*x+2].max(axis=0).max(axis=0)
        return res

    def backprop(self, dout):
        da = np.zeros_like(self.a)
        H, W, F = dout.shape
        for y in range(H):
            for x in range(W):
                block = self.a[2*y:2*y+2, 2*x:2*x+2]
                top = block.max(axis=(0, 1))
                done = np.zeros(F, dtype=bool)
                for r in (0, 1):
                    for c in (0, 1):
                        hit = (block[r, c] == top) & ~done
                        da[2*y+r, 2*x+c, hit] = dout[y, x, hit]
                        done |= hit
        return da


class Softmax:
    def __init__(self, n_in, n_out):
        self.W = rng.standard_normal((n_in, n_out)) / n_in
        self.b = np.zeros(n_out)

    def forward(self, a):
        self.shape = a.shape
        self.flat = a.ravel()
        z = self.flat @ self.W + self.b
        z = z - z.max()
        e = np.exp(z)
        self.p = e / e.sum()
        return self.p

    def backprop(self, dp, lr):
        # full jacobian of the softmax: p_i (delta_ij - p_j)
        jac = np.diag(self.p) - np.outer(self.p, self.p)
        dz = jac @ dp
        dflat = self.W @ dz
        self.W = self.W - lr * np.outer(self.flat, dz)
        self.b = self.b - lr * dz
        return dflat.reshape(self.shape)


def train(images, labels, lr=0.005):
    conv, pool, soft = Conv3x3(8), MaxPool2(), Softmax(13 * 13 * 8, 10)
    for img, lab in zip(images, labels):
        p = soft.forward(pool.forward(conv.forward(img / 255. - .5)))
        g = np.zeros(10)
        g[lab] = -1 / p[lab]
        conv.backprop(pool.backprop(soft.backprop(g, lr)), lr)


if __name__ == "__main__":
    import mnist
    train(mnist.train_images()[:1000], mnist.train_labels()[:1000])
