# says: relu_backward is the way back of a ReLU, is given the upstream gradient (dA) and what forward hands on (cache)
# says: sigmoid_derivative is the way back of a sigmoid, is given the output (s), and gives the derivative
# says: leaky_relu is a leaky ReLU of slope 0.01
import numpy as np


def relu(Z):
    return np.maximum(0, Z), Z


def relu_backward(dA, cache):
    dZ = np.array(dA, copy=True)
    dZ[cache <= 0] = 0
    return dZ


def leaky_relu(x, alpha=0.01, deriv=False):
    if deriv:
        return np.where(x > 0, 1, alpha)
    return np.maximum(alpha * x, x)


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def sigmoid_derivative(s):
    return s * (1 - s)


def d_tanh(x):
    return 1 / np.cosh(np.clip(x, -300, 300)) ** 2
