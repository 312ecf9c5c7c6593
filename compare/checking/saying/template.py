"""What `check --template` prints: an adapter of at most ten lines for a class of an unusual shape."""

TEMPLATE = """\
from my_code import MyNet  # yours; then: python -m compare check this_file.py:Adapter
class Adapter:  # leave out what you do not have: less is checked then, and the answer says so
    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float64", seed=0):
        self.net = MyNet()  # of this geometry, if it can; NotImplementedError if it cannot
    def set_parameters(self, p):  # conv_weight (3, 3, C, F), dense_weight (P*Q*F, K), dense_bias (K,): into your layout
        self.net.filters, self.net.w, self.net.b = p["conv_weight"], p["dense_weight"], p["dense_bias"]
    def activations(self, images, labels):  # of conv, pool, logits, probabilities, loss those that you have
        return {"probabilities": self.net.forward(images)}  # images (N, H, W, C), scaled to -0.5 .. 0.5
    def gradients(self, images, labels):  # of logits, pool, conv, images, conv_weight, dense_weight, dense_bias
        return {"dense_bias": self.net.backward(images, labels)}
"""
