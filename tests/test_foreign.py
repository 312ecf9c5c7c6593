"""`compare.check` on files as strangers write them: right ones pass, wrong ones are named, nasty ones end in a line.

The first lines of a file in `foreign` are comments that say what is expected of the answer:
`stage` (" | " between those that are as good), `names` (" + " between two mistakes, " | " where what the code offers
cannot tell them apart, "none" where no known defect explains it), `exit`, `status`, `says` (a part of the answer),
`never` (what must not be in it). Files in `foreign/unusual` are right, but written so that little of them may be found
to check: what is asked there is that nobody is accused.
"""

import os
import time
from pathlib import Path

import pytest

import compare
from compare.checking.finding import loading, subjects
from compare.checking.process.stranger import Stranger
from compare.checking.process.things import inventory

FOREIGN = Path(__file__).parent / "foreign"
# How many quantities pass at least: a layer alone has few.
RIGHT = {
    "softmax_of_one_label.py": 2,
    "weight_decay.py": 7,
    "layers_between.py": 7,
    "conv_of_five.py": 2,
    "conv_and_pool_by_arguments.py": 8,
    "conv_of_two_strides.py": 4,
    "l2_in_the_loss.py": 7,
    "experiment_called_relu.py": 1,
    "pool_of_lists.py": 1,
    "pool_leaves_what_it_hands_back.py": 2,
    "pool_told_rows_and_depth.py": 2,
    "softmax_of_one_image.py": 3,
    "stub_beside_its_function.py": 1,
    "no_dense_bias.py": 7,
    "scales_its_images.py": 17,
    "sigmoid_overflows.py": 1,
    "leaky_slope_that_falls.py": 2,
    "epsilon_in_a_quotient.py": 17,
    "cleared_between_passes.py": 6,
    "logits_gradient_handed.py": 2,
    "methods_of_one_class.py": 4,
    "probabilities_and_labels.py": 4,
    "stride_of_one_by_default.py": 2,
    "told_as_a_shape.py": 4,
    "weights_made_anew.py": 7,
    "told_to_learn.py": 6,
    "update_called_backward.py": 6,
    "update_called_gradient.py": 4,
    "window_by_height_and_width.py": 2,
    "activation_of_one_image.py": 1,
    "activations_as_functions.py": 6,
    "activations_as_layers.py": 8,
    "activations_left_in_attributes.py": 6,
    "activations_otherwise.py": 5,
    "channels_with_their_maps.py": 3,
    "relu_between.py": 9,
    "told_a_shape_of_batches.py": 12,
    "dense_with_switches.py": 4,
    "loss_of_columns.py": 2,
    "parameter_objects.py": 6,
    "pool_of_both_kinds.py": 2,
    "cleared_by_step.py": 3,
    "loss_beside_accuracy.py": 4,
    "rate_of_its_own.py": 4,
    "told_softmax.py": 4,
    "two_losses.py": 9,
    "bias_as_column.py": 4,
    "classes_and_functions.py": 6,
    "handed_an_optimizer.py": 6,
    "on_a_graphics_card.py": 3,
    "shape_of_all_filters.py": 3,
    "speaks_of_a_package": 3,
    "told_its_shape.py": 8,
    "gradients_in_a_list.py": 3,
    "told_the_batch_size.py": 4,
    "average_pool.py": 2,
    "epsilons_everywhere.py": 3,
    "from_above": 1,
    "named_like_nothing.py": 5,
    "script_without_its_data.py": 2,
    "sped_up.py": 1,
    "told_that_it_trains.py": 8,
    "dense_for_one.py": 4,
    "ends_in_relu.py": 7,
    "kernel_in_constructor.py": 1,
    "loss_beside_probabilities.py": 7,
    "one_map_functions.py": 10,
    "remembers_for_the_caller.py": 8,
    "step_while_going_back.py": 25,
    "bias_moves_too.py": 16,
    "bias_per_filter.py": 3,
    "bias_per_pixel.py": 3,
    "channels_last_flatten.py": 20,
    "clipped_at_tiny.py": 3,
    "column_vectors.py": 5,
    "columns_of_images.py": 5,
    "contract.py": 24,
    "conv_only.py": 3,
    "divides_at_the_filters.py": 3,
    "fits_itself.py": 9,
    "forward_only.py": 1,
    "im2col_flat.py": 3,
    "layers_with_update.py": 30,
    "nchw_params_grads.py": 22,
    "nhwc_functions.py": 26,
    "one_file.py": 29,
    "output_attributes.py": 20,
    "package": 25,
    "pool_only.py": 2,
    "rate_in_constructor.py": 6,
    "returns_gradients.py": 9,
    "same_only.py": 2,
    "single_precision.py": 22,
    "slots_and_dataclass.py": 1,
    "softmax_with_loss.py": 2,
    "stored_by_model.py": 9,
    "summed_over_batch.py": 29,
    "ties_shared.py": 2,
    "trains_at_import.py": 29,
    "tuple_kernel_size.py": 2,
    "tutorial": 29,
    "update_by_optimizer.py": 23,
    "weights_in_constructor.py": 7,
    "wrapped_model.py": 9,
    "zero_grad_and_step.py": 20,
}
TIMEOUT = 3.0  # seconds, for what never ends; the others need less than one
GRACE = 2.0


def here(folder):
    """Names in a folder, but for what Python leaves there."""
    return sorted(path.name for path in (FOREIGN / folder).iterdir() if not path.name.startswith("__"))


def expected(path):
    """{key: [values]} of the comments at the head of a file."""
    found = {}
    file = path / "conv.py" if path.is_dir() else path
    for line in file.read_text().splitlines():
        if not line.startswith("# "):
            return found
        key, _, value = line[2:].partition(": ")
        found.setdefault(key, []).append(value)
    return found


def running(word):
    """Process ids, other than of zombies, whose command line has a word; none where there is no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has just ended
            continue
        if word.encode() in words and state != "Z":
            found.append(process.name)
    return found


def plain(result):
    return " ".join(str(result).split())


def test_every_right_file_has_a_floor():
    assert here("right") == sorted(RIGHT)


@pytest.mark.parametrize("name", here("right"))
def test_right(name):
    result = compare.check(str(FOREIGN / "right" / name))
    assert result.exit_code == 0 and not result.unconnected, f"\n{result}"
    assert result.counts["passed"] >= RIGHT[name], f"\n{result}"
    assert result.counts["differed"] == result.counts["failed"] == result.counts["not reached"] == 0
    assert result.judgement.stage == result.judgement.named == ""
    for part in expected(FOREIGN / "right" / name).get("says", []):
        assert part in plain(result), f"\n{result}"
    result.raise_if_different()


@pytest.mark.parametrize("name", here("wrong"))
def test_wrong(name):
    path = FOREIGN / "wrong" / name
    (stage,), (names,) = (expected(path)[key] for key in ("stage", "names"))
    result = compare.check(str(path))
    assert not result.agrees, f"\n{result}"
    assert str(result.exit_code) in expected(path).get("exit", ["1"])[0].split(" | "), f"\n{result}"
    assert result.judgement.stage in stage.split(" | "), f"\n{result}"
    found = {frozenset(defect.name for defect in defects) for defects in result.judgement.diagnosis}
    wanted = {frozenset(each.split(" + ")) for each in names.split(" | ")} if names != "none" else set()
    assert found == wanted, f"\n{result}"
    for part in expected(path).get("says", []):
        assert part in plain(result), f"\n{result}"
    if len(wanted) == 1:
        assert set(result.judgement.named.split(" + ")) == set(*wanted)
    else:
        assert result.judgement.named == ""
    if result.exit_code == 1:
        assert f"{result.judgement.stage} DIFFERS" in plain(result)


@pytest.mark.parametrize("name", here("unusual"))
def test_unusual(name):
    try:
        result = compare.check(str(FOREIGN / "unusual" / name))
    except ValueError as error:
        assert "nothing to check" in str(error)
        return
    assert result.exit_code in (0, 3), f"\n{result}"
    for part in expected(FOREIGN / "unusual" / name).get("says", []):
        assert part in plain(result), f"\n{result}"


@pytest.mark.parametrize("name", here("nasty"))
def test_nasty(name):
    path = FOREIGN / "nasty" / name
    wanted = expected(path)
    (status,) = wanted["status"]
    start = time.monotonic()
    timeout = TIMEOUT if status == "hung" or "slow" in wanted else 3 * TIMEOUT
    result = compare.check(str(path), timeout=timeout)
    assert time.monotonic() - start < timeout + GRACE
    if name == "grandchild.py":
        assert not running("300.125")  # the seconds that it lets another process sleep
    answer = plain(result)
    for part in wanted.get("says", []):
        assert part in answer, f"\n{result}"
    for part in wanted.get("never", []):
        assert part not in answer, f"\n{result}"
    if status == "right":
        assert result.exit_code == 0, f"\n{result}"
        return
    if status == "unconnected":  # whatever it raised, no call of it had worked before: that is no verdict
        assert result.exit_code == 3, f"\n{result}"
        assert "could not be connected" in answer
        return
    assert result.exit_code == 4, f"\n{result}"
    if status == "import":
        assert "while it was imported" in answer
        return
    (stage,) = wanted["stage"]
    assert result.judgement.stage in stage.split(" | "), f"\n{result}"
    words = {"hung": ["HUNG"], "crashed": ["CRASHED"], "raised": ["RAISED"]}[status]
    assert any(f"{result.judgement.stage} {word}" in answer for word in words), f"\n{result}"


@pytest.mark.parametrize("name", ["wrong/whole_number_output.py", "right/kernel_in_constructor.py"])
def test_what_does_not_concern_a_complaint_is_not_varied(name, monkeypatch):
    """Without that these two are called 20,565 and 7,225 times until a way is found, or none."""
    calls = []
    ask = Stranger.ask
    monkeypatch.setattr(Stranger, "ask", lambda self, do, **more: calls.append(do) or ask(self, do, **more))
    with loading.stranger_of(str(FOREIGN / name), 1, 60) as stranger:
        assert subjects.find(str(FOREIGN / name), stranger).subject is not None
    assert calls.count("call") < 5000


def test_time_is_what_the_code_works(tmp_path):
    """Not what it waits for: on a machine that does other things too, as much is tried as on an idle one."""
    (tmp_path / "code.py").write_text(
        "import time\n\ndef waits():\n    time.sleep(1)\n\n"
        "def works():\n    end = time.process_time() + 1\n    while time.process_time() < end:\n        pass\n"
    )
    with loading.stranger_of(str(tmp_path / "code.py"), 1, 60) as stranger:
        (module,) = loading.load(str(tmp_path / "code.py"), stranger, [], [])
        functions, begin = inventory(stranger, module), stranger.worked
        functions["waits"].call()
        assert stranger.worked - begin < 0.5 < stranger.spent
        functions["works"].call()
        assert stranger.worked - begin > 0.9
        begin = stranger.worked
        stranger.end()
        assert stranger.worked >= begin


def test_nothing_is_left_beside_the_files():
    """What strangers' files leave is not ours to keep: no results, no logs; Python's own caches are ignored by git."""
    found = [path for path in FOREIGN.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert not found, os.linesep.join(map(str, found))


def test_an_optimiser_in_the_file_beside(tmp_path):
    """One file of a package is asked about, and what its layers lack stands beside it."""
    text = (FOREIGN / "wrong" / "optimiser_keeps_old_gradients.py").read_text()
    layers, sgd = text.split("class SGD:")
    for name, content in {
        "__init__": "",
        "layers": layers,
        "optim": f"class SGD:{sgd}",
        "broken": "import absent",
    }.items():
        (tmp_path / f"{name}.py").write_text(content)
    result = compare.check(str(tmp_path / "layers.py"))
    assert result.exit_code == 1, f"\n{result}"
    assert "assumed: SGD: from a file beside this one" in plain(result)
    assert "step 1: dense_weight stays as it was" in plain(result)


def test_layers_in_a_folder_inside(tmp_path):
    """A folder whose own files define nothing of a network: what stands further inside is looked at, and said so."""
    inside = tmp_path / "src" / "layers"
    inside.mkdir(parents=True)
    (tmp_path / "main.py").write_text("import sys\n")
    (inside / "pool.py").write_text((FOREIGN / "right" / "pool_only.py").read_text())
    result = compare.check(str(tmp_path))
    assert result.exit_code == 0 and result.counts["passed"] == 2, f"\n{result}"
    assert result.target == str(inside) and "of its own: nothing to check" in plain(result)
