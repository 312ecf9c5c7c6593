"""Networks as other people write them: sources in many styles, all of them right. Tests break them in one place."""

CONV = """
class Conv3x3:
    def __init__(self, num_filters):
        self.num_filters = num_filters
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def regions(self, image):
        h, w = image.shape
        for i in range(h - 2):
            for j in range(w - 2):
                yield image[i:i + 3, j:j + 3], i, j

    def forward(self, image):
        self.last_input = image
        h, w = image.shape
        out = np.zeros((h - 2, w - 2, self.num_filters))
        for region, i, j in self.regions(image):
            out[i, j] = np.sum(region * self.filters, axis=(1, 2))
        return out

    def backprop(self, d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        for region, i, j in self.regions(self.last_input):
            for f in range(self.num_filters):
                d_filters[f] += d_out[i, j, f] * region
        self.filters -= learn_rate * d_filters
        return None
"""
POOL = """
class MaxPool2:
    def forward(self, x):
        self.last_input = x
        h, w, f = x.shape
        x = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f)
        return x.max(axis=(1, 3))

    def backprop(self, d_out):
        d_input = np.zeros(self.last_input.shape)
        p, q, f = d_out.shape
        for i in range(p):
            for j in range(q):
                for k in range(f):
                    part = self.last_input[2 * i:2 * i + 2, 2 * j:2 * j + 2, k]
                    a, b = np.unravel_index(part.argmax(), part.shape)
                    d_input[2 * i + a, 2 * j + b, k] = d_out[i, j, k]
        return d_input
"""
SOFTMAX = """
class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        self.last_shape = x.shape
        x = x.flatten()
        self.last_x = x
        totals = np.dot(x, self.weights) + self.biases
        self.last_totals = totals
        e = np.exp(totals - totals.max())
        return e / e.sum()

    def backprop(self, d_out, learn_rate):
        for i, gradient in enumerate(d_out):
            if gradient == 0:
                continue
            e = np.exp(self.last_totals - self.last_totals.max())
            total = e.sum()
            d_t = -e[i] * e / total ** 2
            d_t[i] = e[i] * (total - e[i]) / total ** 2
            d_totals = gradient * d_t
            d_x = self.weights @ d_totals
            self.weights -= learn_rate * self.last_x[:, None] * d_totals[None]
            self.biases -= learn_rate * d_totals
            return d_x.reshape(self.last_shape)
"""
BATCH = """
class Conv:
    def __init__(self, in_channels, out_channels, kernel_size=3, padding=0):
        self.pad = padding
        self.W = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.b = np.zeros(out_channels)

    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", view, self.W) + self.b[None, :, None, None]

    def backward(self, dout):
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        self.dW = np.einsum("nchwij,nfhw->fcij", view, dout)
        self.db = dout.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        h, w = dout.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", dout, self.W[:, :, i, j])
        return dx[:, :, self.pad:dx.shape[2] - self.pad, self.pad:dx.shape[3] - self.pad]

class MaxPool:
    def __init__(self, pool_size=2, stride=2):
        self.size = pool_size

    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        p, q = h // 2, w // 2
        parts = x[:, :, :2 * p, :2 * q].reshape(n, c, p, 2, q, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, p, q, 4)
        self.best = parts.argmax(axis=-1)
        return parts.max(axis=-1)

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        n, c, p, q = dout.shape
        for k in range(4):
            dx[:, :, k // 2:2 * p:2, k % 2:2 * q:2] = dout * (self.best == k)
        return dx

class Dense:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.randn(n_out, n_in), "b": np.zeros((1, n_out))}
        self.grads = {}

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return self.x @ self.params["W"].T + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = dout.T @ self.x
        self.grads["b"] = dout.sum(axis=0, keepdims=True)
        return (dout @ self.params["W"]).reshape(self.shape)
"""
FUNCTIONS = """
def conv_forward(x, w, b, pad=0, stride=1):
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", view, w) + b, (x, w, b)

def conv_backward(dout, cache):
    x, w, b = cache
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    dw = np.einsum("nhwcij,nhwf->ijcf", view, dout)
    dx = np.zeros_like(x)
    h, w_ = dout.shape[1:3]
    for i in range(3):
        for j in range(3):
            dx[:, i:i + h, j:j + w_] += dout @ w[i, j].T
    return dx, dw, dout.sum(axis=(0, 1, 2))

def maxpool_forward(x):
    n, h, w, c = x.shape
    p, q = h // 2, w // 2
    parts = x[:, :2 * p, :2 * q].reshape(n, p, 2, q, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, p, q, 4, c)
    return parts.max(axis=3), (x.shape, parts.argmax(axis=3))

def maxpool_backward(dout, cache):
    shape, best = cache
    dx = np.zeros(shape, dout.dtype)
    p, q = dout.shape[1:3]
    for k in range(4):
        dx[:, k // 2:2 * p:2, k % 2:2 * q:2] = dout * (best == k)
    return dx

def dense_forward(x, W, b):
    flat = x.reshape(len(x), -1)
    return flat @ W + b, (x.shape, flat, W)

def dense_backward(dout, cache):
    shape, flat, W = cache
    return (dout @ W.T).reshape(shape), flat.T @ dout, dout.sum(axis=0)

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def cross_entropy(probs, labels):
    return -np.log(probs[np.arange(len(labels)), labels]).mean()

def cross_entropy_backward(probs, labels):
    d = probs.copy()
    d[np.arange(len(labels)), labels] -= 1
    return d / len(labels)
"""
NETWORK = """
class Network:
    def __init__(self, in_channels, num_filters, num_classes, input_shape):
        h, w = input_shape[0] - 2, input_shape[1] - 2
        self.kernel = np.random.randn(3, 3, in_channels, num_filters)
        self.params = {"W": np.random.randn(h // 2 * (w // 2) * num_filters, num_classes), "b": np.zeros(num_classes)}

    def forward(self, x):
        a, self.c1 = conv_forward(x, self.kernel, 0)
        a, self.c2 = maxpool_forward(a)
        a, self.c3 = dense_forward(a, self.params["W"], self.params["b"])
        return softmax(a)

    def compute_gradients(self, images, labels):
        d, dW, db = dense_backward(cross_entropy_backward(self.forward(images), labels), self.c3)
        return {"kernel": conv_backward(maxpool_backward(d, self.c2), self.c1)[1], "W": dW, "b": db}
"""
TRAINED = NETWORK.replace("compute_gradients(self, images, labels):", "train_step(self, images, labels, lr):").replace(
    'return {"kernel": conv_backward(maxpool_backward(d, self.c2), self.c1)[1], "W": dW, "b": db}',
    """self.kernel = self.kernel - lr * conv_backward(maxpool_backward(d, self.c2), self.c1)[1]
        self.params["W"] = self.params["W"] - lr * dW
        self.params["b"] = self.params["b"] - lr * db
        return 0.0""",
)
CONTRACT = """
from numpy_cnn.layers import Layers

class Mine(Layers):
    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10):
        super().__init__(input_shape, filters, classes, "valid", np.float64)
"""

# One class for all of it, which trains itself.
ALL_IN_ONE = """
class SimpleCNN:
    def __init__(self, num_filters=8, num_classes=10):
        self.kernels = np.random.randn(num_filters, 3, 3) / 9
        self.weights = np.random.randn(13 * 13 * num_filters, num_classes) / 1000
        self.bias = np.zeros(num_classes)

    def forward(self, images):
        self.view = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        self.a = np.einsum("nhwij,fij->nhwf", self.view, self.kernels)
        n, h, w, f = self.a.shape
        parts = self.a.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4)
        self.parts = parts.reshape(n, h // 2, w // 2, f, 4)
        self.flat = self.parts.max(axis=-1).reshape(n, -1)
        z = self.flat @ self.weights + self.bias
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def train_step(self, images, labels, lr):
        d = self.forward(images)
        d[np.arange(len(labels)), labels] -= 1
        d /= len(labels)
        back = (d @ self.weights.T).reshape(self.parts.shape[:-1])
        first = np.eye(4)[self.parts.argmax(axis=-1)] * back[..., None]
        n, p, q, f, _ = first.shape
        d_a = first.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(self.a.shape)
        self.weights -= lr * self.flat.T @ d
        self.bias -= lr * d.sum(axis=0)
        self.kernels -= lr * np.einsum("nhwij,nhwf->fij", self.view, d_a)
"""
