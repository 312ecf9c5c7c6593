import numpy as np
import pytest

from numpy_cnn import Conv3x3

IMAGE = np.array([[0, 50, 0, 29], [0, 80, 31, 2], [33, 90, 0, 75], [0, 9, 0, 95]])
VERTICAL_SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def sobel(padding="valid"):
    conv = Conv3x3(1, padding=padding, dtype=np.float64)
    conv.weight = VERTICAL_SOBEL[:, :, None, None].astype(np.float64)
    return conv


def test_vertical_sobel_by_hand():
    # top left: -0 + 0 - 2*0 + 2*31 - 33 + 0 = 29
    assert sobel().forward(IMAGE[None, :, :, None])[0, :, :, 0].tolist() == [[29, -192], [-35, -22]]


def test_same_padding_keeps_the_size_and_holds_the_valid_result_inside():
    y = sobel("same").forward(IMAGE[None, :, :, None])
    assert y.shape == (1, 4, 4, 1)
    assert y[0, 1:3, 1:3, 0].tolist() == [[29, -192], [-35, -22]]
    # top left, zeros above and left: 50*2 + 80*1 = 180
    assert y[0, 0, 0, 0] == 180


def test_one_digit_has_26_by_26_outputs_of_8_filters_and_72_weights():
    conv = Conv3x3(8)
    assert conv.weight.size == 72
    assert conv.forward(np.zeros((1, 28, 28, 1))).shape == (1, 26, 26, 8)


def test_it_is_cross_correlation_the_kernel_is_not_flipped():
    x = np.zeros((1, 3, 3, 1))
    x[0, 0, 1, 0] = 1  # a single pixel picks the weight at its own place
    conv = Conv3x3(1, dtype=np.float64)
    assert conv.forward(x).item() == conv.weight[0, 1, 0, 0]


def test_filter_gradient_by_hand():
    conv = sobel()
    conv.forward(IMAGE[None, :, :, None])
    conv.backward(np.array([[1.0, 0], [0, 0]])[None, :, :, None])
    assert conv.d_weight[:, :, 0, 0].tolist() == IMAGE[:3, :3].tolist()


def test_image_gradient_by_hand():
    conv = sobel()
    conv.forward(IMAGE[None, :, :, None])
    dx = conv.backward(np.array([[0.0, 0], [0, 2]])[None, :, :, None])[0, :, :, 0]
    assert dx[1:, 1:].tolist() == (2 * VERTICAL_SOBEL).tolist()
    assert not dx[0].any() and not dx[:, 0].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_that_of_the_weights(dtype):
    conv = Conv3x3(2, 3, dtype=dtype)
    y = conv.forward(np.ones((2, 4, 5, 3), np.float64))
    assert y.dtype == dtype
    assert conv.backward(np.ones_like(y)).dtype == dtype
    assert conv.d_weight.dtype == dtype


def test_smallest_image():
    assert Conv3x3(2, 3).forward(np.ones((1, 3, 3, 3))).shape == (1, 1, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "filters: found 0"),
        ({"filters": 2.5}, "filters: found 2.5"),
        ({"filters": 1, "channels": -1}, "channels: found -1"),
        ({"filters": 1, "padding": "full"}, "padding: found 'full'"),
        ({"filters": 1, "dtype": "int8"}, "dtype: found int8"),
        ({"filters": 1, "dtype": "no"}, "dtype: found 'no'"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Conv3x3(**arguments)


@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 4, 1), (1, 4, 2, 1), (1, 4, 4, 2)])
def test_bad_input_shape(shape):
    with pytest.raises(ValueError, match=r"Conv3x3: x has shape .*wanted \(N, H, W, 1\)"):
        Conv3x3(1).forward(np.zeros(shape))


def test_backward_needs_a_forward_and_the_right_shape():
    conv = Conv3x3(1)
    with pytest.raises(RuntimeError, match="before any forward"):
        conv.backward(np.zeros((1, 2, 2, 1)))
    conv.forward(np.zeros((1, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"dy has shape \(1, 3, 3, 1\), wanted \(1, 2, 2, 1\)"):
        conv.backward(np.zeros((1, 3, 3, 1)))
