"""The contract, held against every implementation that needs no framework; the others are held in their own rooms."""

import inspect

import pytest

from compare import contract
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.one_by_one import Loops

METHODS = [name for name in vars(contract.Implementation) if name == "__init__" or not name.startswith("_")]


def test_the_contract_has_its_nine_methods():
    assert set(METHODS) == {
        "__init__",
        "get_parameters",
        "set_parameters",
        "activations",
        "gradients",
        "forward_stage",
        "backward_stage",
        "step",
        "predict",
    }


@pytest.mark.parametrize("implementation", [Loops, Layers, Fused])
@pytest.mark.parametrize("method", METHODS)
def test_each_way_has_every_method_with_the_same_arguments(implementation, method):
    wanted = list(inspect.signature(getattr(contract.Implementation, method)).parameters.values())
    found = list(inspect.signature(getattr(implementation, method)).parameters.values())
    assert len(found) == len(wanted)
    if method != "__init__":
        return
    assert [parameter.name for parameter in found] == [parameter.name for parameter in wanted]
    for ours, theirs in zip(found[1:], wanted[1:], strict=True):
        assert ours.default == theirs.default or ours.name == "dtype"


def public(thing):
    return {name for name, _ in inspect.getmembers(thing, callable) if not name.startswith("_")}


def test_the_three_ways_offer_the_same_names():
    """What `CNN` asks of one way it may ask of each: the contract, `logits` and `descend`."""
    assert public(Loops) == public(Layers) == public(Fused) == {*METHODS, "logits", "descend"} - {"__init__"}
    for model in (way((6, 5, 1), 2, 3) for way in (Loops, Layers, Fused)):
        assert model.dtype == "float32"
        assert model.shapes == {"conv_weight": (3, 3, 1, 2), "dense_weight": (4, 3), "dense_bias": (3,)}


def test_every_entry_names_a_file_that_is_there_and_a_line_that_installs_it():
    from compare.cells.cells import ROOT

    for entry in contract.ENTRIES.values():
        module, _, attribute = entry.target.partition(":")
        path = ROOT / (module.replace(".", "/") + ".py")
        assert f"class {attribute}" in path.read_text(), entry.name
        assert entry.install.startswith("pip install")
        if entry.optimisers:
            path = ROOT / entry.optimisers.replace(".", "/")
            text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
            assert "def updates(name, settings, start, gradients, rates):" in text and "CONVENTIONS" in text


def test_what_each_command_takes_by_itself():
    assert contract.select(command="report") == ["numpy-layers", "numpy-fused", "torch", "keras-tensorflow"]
    assert contract.select(command="speed") == contract.select("all") == list(contract.ENTRIES)
    assert contract.select("torch") == ["torch"]  # the name itself, and not what else begins with it
    assert contract.select("numpy") == ["numpy-loops", "numpy-layers", "numpy-fused"]
