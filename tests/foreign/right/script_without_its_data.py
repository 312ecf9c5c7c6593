# says: as a whole it fails: FileNotFoundError at script_without_its_data.py:10
# says: what uses it is not judged: No module named 'pictures_of_digits'
import numpy as np
import pictures_of_digits
from pictures_of_digits import show
from pictures_of_digits.colours import *  # noqa: F403

SIZE = 2 * 14
RATE = 10**-2
images = np.load("all_of_the_digits.npy")
scaled = images / 255
one_hot = np.zeros((len(images), 10))
one_hot[np.arange(len(images)), 3] = 1
for image in scaled[:10]:
    show(image)


def relu(x):
    return np.maximum(x, 0)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(p, labels):
    return -np.log(p[np.arange(len(p)), labels]).mean()


@pictures_of_digits.drawn
def draw(image):
    return image


softmax = softmax(scaled.reshape(len(scaled), -1))

if __name__ == "__main__":
    draw(scaled[0])
