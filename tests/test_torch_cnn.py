"""What only PyTorch's adapter and model have, in the process of PyTorch; `test_adapters` holds what they must have."""

import re

import numpy as np
import pytest
from test_hostile_files import NETWORK


@pytest.fixture
def child(torch_child):
    """Calls a function of this file in the process of PyTorch."""
    return torch_child


# what runs in the other process


def refused_files(directory):
    """Messages of files that do not fit, and whether the adapter stayed as it was."""
    import torch

    from torch_cnn.adapter import Adapter

    adapter = Adapter(seed=1)
    before = adapter.get_parameters()
    good = directory / "good.pt"
    Adapter(seed=2).save(good)
    data = bytearray(good.read_bytes())
    altered = data.copy()
    altered[len(data) // 2] ^= 1
    state = adapter.model.state_dict()
    files = {"empty": b"", "cut": data[:-100], "cut short": data[: len(data) // 2], "altered": altered, "text": b"no"}
    states = {
        "no state": [1, 2],
        "key gone": {name: value for name, value in state.items() if name != "dense.bias"},
        "nan": state | {"dense.bias": torch.full((10,), float("nan"))},
        "double": {name: value.double() for name, value in state.items()},
        "shapes": Adapter(filters=3).model.state_dict(),
    }
    messages = {}
    for name in files | states:
        path = directory / f"{name}.pt"
        torch.save(states[name], path) if name in states else path.write_bytes(files[name])
        try:
            adapter.load(path)
            messages[name] = "accepted"
        except ValueError as error:
            messages[name] = str(error).removeprefix(str(path))
    unchanged = all(np.array_equal(value, before[name]) for name, value in adapter.get_parameters().items())
    return messages, unchanged


def fit():
    """Mean loss of bright-or-dark images, before and after `fit`."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from torch_cnn.model import CNN, fit, scale

    labels = torch.tensor([0, 1] * 32)
    noise = torch.randint(0, 100, (64, 6, 6, 1), generator=torch.Generator().manual_seed(0))
    images = scale((noise + 100 * labels[:, None, None, None]).to(torch.uint8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CNN((6, 6, 1), 2, 2)
        before = F.cross_entropy(model(images), labels).item()
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1), images, labels, epochs=5, batch_size=8)
        return before, F.cross_entropy(model(images), labels).item()


# the tests


def test_a_file_that_does_not_fit_changes_nothing(child, tmp_path):
    messages, unchanged = child(refused_files, tmp_path)
    assert unchanged
    assert all(message.startswith(": found") for message in messages.values()), messages
    assert "(3, 1, 3, 3)" in messages["shapes"] and "(8, 1, 3, 3)" in messages["shapes"]


def test_fit_learns(child):
    before, after = child(fit)
    assert after < 0.5 * before


def test_every_flag_of_the_listing_of_a_pt(tmp_path, torch_child):
    """The mark of a folder in the zip's directory made PyTorch hand out memory as it lay."""
    assert torch_child(listing_of_a_pt, tmp_path) == []


def listing_of_a_pt(folder):
    """Bits in the zip's directory whose change let other numbers in, out of all of those that are no name."""
    from torch_cnn.adapter import Adapter

    adapter = Adapter(**NETWORK, seed=1)
    path = folder / "a.pt"
    adapter.save(path)
    wanted = [value.tobytes() for value in adapter.get_parameters().values()]
    content, bad = path.read_bytes(), []
    for match in re.finditer(b"PK\x01\x02", content):
        # the attributes, with the mark of a folder, and every fifth bit of the rest
        begin = 8 * match.start()
        for bit in sorted({*range(begin, begin + 8 * 46, 5), *range(begin + 8 * 38, begin + 8 * 42)}):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            other = Adapter(**NETWORK, seed=2)
            try:
                other.load(path)
            except ValueError as error:
                if not str(error).startswith(f"{path}: ") or "\n" in str(error):
                    bad.append(str(error))
                continue
            if [value.tobytes() for value in other.get_parameters().values()] != wanted:
                bad.append(bit)
    return bad
