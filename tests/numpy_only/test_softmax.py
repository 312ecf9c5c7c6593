import math

import numpy as np
import pytest

from numpy_cnn import Softmax, cross_entropy, cross_entropy_backward, softmax


def test_probabilities_by_hand():
    # exp(0) : exp(ln 3) = 1 : 3
    assert softmax(np.array([[0, math.log(3)]])) == pytest.approx(np.array([[0.25, 0.75]]), rel=1e-15)


def test_loss_of_even_odds_is_the_logarithm_of_their_number():
    assert cross_entropy(np.zeros((4, 10)), np.arange(4)) == pytest.approx(2.302585092994046, rel=1e-15)


def test_loss_is_the_mean_over_the_batch():
    logits = np.array([[0, math.log(3)], [0, math.log(3)]])
    wanted = -(math.log(0.25) + math.log(0.75)) / 2
    assert cross_entropy(logits, np.array([0, 1])) == pytest.approx(wanted, rel=1e-15)


def test_gradient_by_hand():
    d = cross_entropy_backward(np.array([[0, math.log(3)], [0, math.log(3)]]), np.array([0, 1]))
    assert d == pytest.approx(np.array([[-0.375, 0.375], [0.125, -0.125]]), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_1e4_beside_rows_of_1(dtype):
    logits = np.array([[1e4, 0, -1e4], [1, 0, 0.5], [-1e4, -1e4, -1e4 - 1]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p = softmax(logits)
        loss = cross_entropy(logits, np.array([1, 0, 2]))
        d = cross_entropy_backward(logits, np.array([1, 0, 2]))
    assert p.dtype == loss.dtype == d.dtype == dtype
    assert p.sum(axis=1) == pytest.approx(1, rel=1e-6)
    # row by row: 1e4; ln(1 + e^-1 + e^-0.5); 1 + ln(2 + e^-1)
    wanted = (1e4 + math.log(1 + math.exp(-1) + math.exp(-0.5)) + 1 + math.log(2 + math.exp(-1))) / 3
    assert loss == pytest.approx(wanted, rel=1e-6)
    assert np.isfinite(d).all()


def test_dense_by_hand():
    layer = Softmax(2, 3, np.float64)
    layer.weight = np.array([[1.0, 2, 3], [4, 5, 6]])
    layer.bias = np.array([0.5, 0, -0.5])
    assert layer.logits(np.array([[1.0, 10]])).tolist() == [[41.5, 52, 62.5]]
    dx = layer.backward(np.array([[1.0, 0, -1]]))
    assert dx.tolist() == [[-2, -2]]
    assert layer.d_weight.tolist() == [[1, 0, -1], [10, 0, -10]]
    assert layer.d_bias.tolist() == [1, 0, -1]


def test_flattening_is_in_row_order():
    layer = Softmax(2 * 3 * 4, 1, np.float64)
    layer.weight = np.arange(24.0)[:, None]
    x = np.zeros((1, 2, 3, 4))
    x[0, 1, 2, 3] = 1
    assert layer.logits(x).item() == 23
    x[0, 1, 2, 3], x[0, 1, 0, 2] = 0, 1
    assert layer.logits(x).item() == 14  # 1*3*4 + 0*4 + 2


def test_a_digit_gives_ten_probabilities():
    p = Softmax(13 * 13 * 8, 10).forward(np.ones((1, 13, 13, 8)))
    assert p.shape == (1, 10)
    assert p.sum() == pytest.approx(1)


def test_bad_shapes():
    layer = Softmax(8)
    with pytest.raises(RuntimeError, match="before any forward"):
        layer.backward(np.zeros((1, 10)))
    with pytest.raises(ValueError, match=r"Softmax: x has shape \(1, 9\), wanted \(N, ...\) with 8 values each"):
        layer.logits(np.zeros((1, 9)))
    layer.logits(np.zeros((1, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"d_logits has shape \(1, 9\), wanted \(1, 10\)"):
        layer.backward(np.zeros((1, 9)))
