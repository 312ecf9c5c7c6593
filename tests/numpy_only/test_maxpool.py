import numpy as np
import pytest

from numpy_cnn import MaxPool2


def test_maximum_by_hand():
    x = np.array([[0, 50, 0, 29], [0, 80, 31, 2], [33, 90, 0, 75], [0, 9, 0, 95]])[None, :, :, None]
    assert MaxPool2().forward(x)[0, :, :, 0].tolist() == [[80, 31], [90, 95]]


def test_one_digit():
    assert MaxPool2().forward(np.zeros((1, 26, 26, 8))).shape == (1, 13, 13, 8)


def test_gradient_goes_to_the_maximum():
    pool = MaxPool2()
    pool.forward(np.array([[0, 50, 0, 29], [0, 80, 31, 2]])[None, :, :, None])
    dx = pool.backward(np.array([[7.0, 5.0]])[None, :, :, None])
    assert dx[0, :, :, 0].tolist() == [[0, 0, 0, 0], [0, 7, 5, 0]]


@pytest.mark.parametrize(
    ("window", "first"),
    [([[1, 1], [1, 1]], (0, 0)), ([[0, 1], [1, 1]], (0, 1)), ([[0, 0], [2, 2]], (1, 0)), ([[0, 3], [3, 0]], (0, 1))],
)
def test_a_tie_goes_to_the_first_in_row_order(window, first):
    pool = MaxPool2()
    pool.forward(np.array(window, float)[None, :, :, None])
    dx = pool.backward(np.full((1, 1, 1, 1), 5.0))[0, :, :, 0]
    assert dx[first] == 5
    assert dx.sum() == 5


def test_an_odd_row_and_column_are_dropped_and_get_no_gradient():
    pool = MaxPool2()
    x = np.arange(15.0).reshape(1, 3, 5, 1)
    assert pool.forward(x)[0, :, :, 0].tolist() == [[6, 8]]
    dx = pool.backward(np.ones((1, 1, 2, 1)))
    assert dx.shape == x.shape
    assert np.argwhere(dx).tolist() == [[0, 1, 1, 0], [0, 1, 3, 0]]


def test_filters_do_not_mix():
    x = np.zeros((1, 2, 2, 2))
    x[0, 0, 1, 0], x[0, 1, 0, 1] = 3, 4
    pool = MaxPool2()
    assert pool.forward(x).ravel().tolist() == [3, 4]
    dx = pool.backward(np.array([10.0, 20]).reshape(1, 1, 1, 2))
    assert dx[0, 0, 1].tolist() == [10, 0]
    assert dx[0, 1, 0].tolist() == [0, 20]


def test_nan_is_passed_on():
    assert np.isnan(MaxPool2().forward(np.array([[1, np.nan], [2, 3]])[None, :, :, None])).all()


@pytest.mark.parametrize("shape", [(2, 2), (1, 1, 4, 1), (1, 4, 1, 1)])
def test_bad_input_shape(shape):
    with pytest.raises(ValueError, match="MaxPool2: x has shape"):
        MaxPool2().forward(np.zeros(shape))


def test_backward_needs_a_forward_and_the_right_shape():
    pool = MaxPool2()
    with pytest.raises(RuntimeError, match="before any forward"):
        pool.backward(np.zeros((1, 1, 1, 1)))
    pool.forward(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"dy has shape \(1, 1, 1, 1\), wanted \(1, 2, 2, 1\)"):
        pool.backward(np.zeros((1, 1, 1, 1)))
