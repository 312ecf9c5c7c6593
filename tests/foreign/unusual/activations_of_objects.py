import numpy as np


class Node:
    def __init__(self, value):
        self.value, self.gradient = value, 0


def relu(node, tape):
    out = Node(np.maximum(node.value, 0))
    tape.append((relu_backward, node, out))
    return out


def relu_backward(node, out):
    node.gradient = node.gradient + out.gradient * (node.value > 0)


class Sigmoid:
    def __init__(self, before):
        self.before = before

    def forward(self):
        self.value = 1 / (1 + np.exp(-self.before.value))


class Tanh:
    def forward(self, x):
        self.out = 1.7159 * np.tanh(2 / 3 * x)
        return self.out

    def backward(self, foo, bar):
        return foo * bar



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
