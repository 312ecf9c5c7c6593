# status: right
# slow: it waits
import threading
import time

import numpy as np


def report():
    while True:
        time.sleep(0.5)
        print("still training")


threading.Thread(target=report).start()


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
