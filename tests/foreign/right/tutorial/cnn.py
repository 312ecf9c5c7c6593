import mnist
import numpy as np

from conv import Conv3x3
from maxpool import MaxPool2
from softmax import Softmax

conv = Conv3x3(8)
pool = MaxPool2()
softmax = Softmax(13 * 13 * 8, 10)

images, labels = mnist.train_images()[:1000], mnist.train_labels()[:1000]
loss = 0
for image, label in zip(images, labels):
    out = softmax.forward(pool.forward(conv.forward(image / 255 - 0.5)))
    loss -= np.log(out[label])
    gradient = np.zeros(10)
    gradient[label] = -1 / out[label]
    conv.backprop(pool.backprop(softmax.backprop(gradient, .005)), .005)
print('loss', loss / len(images))
