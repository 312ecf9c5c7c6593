"""Layer functions: every forward returns (out, cache), every backward takes (dout, cache)."""
import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    """
    Inputs:
    - x: (N, H, W, C)
    - w: (3, 3, C, F)
    - b: (F,)
    - conv_param: dict with 'stride' and 'pad'
    """
    stride, pad = conv_param['stride'], conv_param['pad']
    xp = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    N, H, W, C = xp.shape
    KH, KW, _, F = w.shape
    out_h = 1 + (H - KH) // stride
    out_w = 1 + (W - KW) // stride
    out = np.zeros((N, out_h, out_w, F), dtype=x.dtype)
    for i in range(out_h):
        for j in range(out_w):
            patch = xp[:, i * stride:i * stride + KH, j * stride:j * stride + KW, :]
            out[:, i, j, :] = np.tensordot(patch, w, axes=([1, 2, 3], [0, 1, 2])) + b
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    xp = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    KH, KW, _, F = w.shape
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            rows = slice(i * stride, i * stride + KH)
            cols = slice(j * stride, j * stride + KW)
            dw += np.tensordot(xp[:, rows, cols, :], dout[:, i, j, :], axes=([0], [0]))
            dxp[:, rows, cols, :] += np.tensordot(dout[:, i, j, :], w, axes=([1], [3]))
    db = dout.sum(axis=(0, 1, 2))
    dx = dxp[:, pad:dxp.shape[1] - pad, pad:dxp.shape[2] - pad, :]
    return dx, dw, db


def max_pool_forward_naive(x, pool_param):
    ph, pw, s = pool_param['pool_height'], pool_param['pool_width'], pool_param['stride']
    N, H, W, C = x.shape
    out = np.zeros((N, (H - ph) // s + 1, (W - pw) // s + 1, C), dtype=x.dtype)
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = x[:, i * s:i * s + ph, j * s:j * s + pw].max(axis=(1, 2))
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    ph, pw, s = pool_param['pool_height'], pool_param['pool_width'], pool_param['stride']
    N, H, W, C = x.shape
    dx = np.zeros_like(x)
    n, c = np.meshgrid(np.arange(N), np.arange(C), indexing='ij')
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            window = x[:, i * s:i * s + ph, j * s:j * s + pw].reshape(N, ph * pw, C)
            r, q = np.unravel_index(window.argmax(axis=1), (ph, pw))
            dx[n, i * s + r, j * s + q, c] += dout[:, i, j]
    return dx


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = dout.sum(axis=0)
    return dx, dw, db


def softmax_loss(scores, y):
    """scores: (N, K), y: (N,) labels. Returns (loss, dscores)."""
    N = scores.shape[0]
    scores = scores - scores.max(axis=1, keepdims=True)
    log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -log_probs[np.arange(N), y].sum() / N
    dscores = np.exp(log_probs)
    dscores[np.arange(N), y] -= 1
    dscores /= N
    return loss, dscores
