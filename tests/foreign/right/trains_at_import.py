#!/usr/bin/env python
# coding: utf-8

# In[1]:


import numpy as np


# In[2]:


class Conv:
    def __init__(self, num_filters):
        self.k = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, im):
        self.v = np.lib.stride_tricks.sliding_window_view(im, (3, 3))
        return np.einsum("hwij,fij->hwf", self.v, self.k)

    def backward(self, d, lr):
        self.k -= lr * np.einsum("hwij,hwf->fij", self.v, d)


class Pool:
    def forward(self, x):
        h, w, f = x.shape
        self.shape = x.shape
        q = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 1, 3).reshape(h // 2, w // 2, f, 4)
        self.a = q.argmax(-1)
        return q.max(-1)

    def backward(self, d):
        out = np.zeros(self.shape)
        i, j, k = np.indices(d.shape)
        out[2 * i + self.a // 2, 2 * j + self.a % 2, k] = d
        return out


class SoftmaxLayer:
    def __init__(self, n, k):
        self.w = np.random.randn(n, k) / n
        self.b = np.zeros(k)

    def forward(self, x):
        self.shape, self.x = x.shape, x.ravel()
        t = self.x @ self.w + self.b
        e = np.exp(t - t.max())
        self.p = e / e.sum()
        return self.p

    def backward(self, label, lr):
        d = self.p.copy()
        d[label] -= 1
        dx = (self.w @ d).reshape(self.shape)
        self.w -= lr * np.outer(self.x, d)
        self.b -= lr * d
        return dx


# In[3]:


conv, pool, soft = Conv(8), Pool(), SoftmaxLayer(13 * 13 * 8, 10)
for step in range(20):
    image, label = np.random.rand(28, 28) - 0.5, step % 10
    p = soft.forward(pool.forward(conv.forward(image)))
    conv.backward(pool.backward(soft.backward(label, 0.01)), 0.01)
    print("step", step, "loss", -np.log(p[label]))
