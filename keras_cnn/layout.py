"""Parameters by name <-> Keras's weights, and what a file of weights must hold.

TensorFlow's layout is ours: conv kernel (3, 3, C, F), dense kernel (P*Q*F, K) with rows in (P, Q, F) order, so nothing
is transposed; only names and order are given here.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from keras_cnn.checks import check_parameters
from keras_cnn.plain_files import one_line, regular_size

TIMES, BESIDE = 10, 1 << 20  # a file is at most ten times as large as its parameters (an optimizer's state), and this
SECONDS = 60  # on a machine that is busy with other things; of work of its own the process has ten

# in the order of Model.get_weights, with the place in a .weights.h5 file
NAMES = {
    "conv_weight": "layers/conv2d/vars/0",
    "dense_weight": "layers/dense/vars/0",
    "dense_bias": "layers/dense/vars/1",
}


def to_weights(parameters, dtype):
    """Parameters by name -> the list that `Model.set_weights` takes."""
    return [np.asarray(parameters[name], dtype) for name in NAMES]


def from_weights(weights):
    """What `Model.get_weights` gives -> parameters by name; contiguous copies."""
    return {name: to_numpy(value) for name, value in zip(NAMES, weights, strict=True)}


def to_numpy(value):
    """A contiguous copy of an array; of bfloat16, which NumPy lacks, in float32, which holds its numbers."""
    return np.array(value, np.float32 if value.dtype.name == "bfloat16" else None, order="C")


def variables(model):
    """The model's own trainable variables, by our names."""
    return dict(zip(NAMES, model.trainable_variables, strict=True))


def seal(path, parameters):
    """Add a checksum of the parameters to a .weights.h5 file; Keras reads the file as before."""
    with h5py.File(path, "r+") as file:
        file.attrs["sha256"] = _checksum(parameters)


def read_file(path, shapes, dtype):
    """(parameters, whether the file holds their checksum) of a .weights.h5 file that holds just such ones, all finite.

    Another process opens it, with limits of memory and time: see `read_h5`.

    Raises:
        ValueError: it does not; the message does not name the path.
        OSError: the file cannot be read.
    """
    wanted = {NAMES[name]: f"{dtype} {shape}" for name, shape in shapes.items()}
    size = dtype.itemsize * sum(math.prod(shape) for shape in shapes.values())
    found_size = regular_size(path)
    if found_size > TIMES * size + BESIDE:
        raise ValueError(f"found {found_size} bytes, wanted at most {TIMES * size + BESIDE} for these parameters")
    command = [sys.executable, "-P", str(Path(__file__).with_name("read_h5.py")), os.fspath(path), str(size), "10"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # each thread takes addresses, which are limited
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"HDF5 came to no end with it within {SECONDS} s") from error
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode or not head:
        last = one_line(done.stderr[-200:].decode(errors="replace"))
        raise ValueError(f"HDF5 fell over it: exit code {done.returncode} {last}")
    said = json.loads(head)
    if "wrong" in said:
        raise ValueError(one_line(said["wrong"]))
    described = {place: f"{np.dtype(kind)} {tuple(shape)}" for place, kind, shape in said["arrays"]}
    if described != wanted:
        raise ValueError(f"found {one_line(described)}, wanted {wanted}")
    arrays, at = {}, 0
    for place, kind, shape in said["arrays"]:
        arrays[place] = np.frombuffer(body, kind, math.prod(shape), at).reshape(shape)
        at += arrays[place].nbytes
    parameters = {name: arrays[place] for name, place in NAMES.items()}
    check_parameters(parameters, shapes)
    if said["checksum"] not in (None, _checksum(parameters)):
        raise ValueError("the numbers do not fit the checksum stored beside them")
    return parameters, said["checksum"] is not None


def _checksum(parameters):
    return hashlib.sha256(b"".join(parameters[name].tobytes() for name in NAMES)).hexdigest()
