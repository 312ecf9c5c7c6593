"""The process that opens a stranger's HDF5 file: it reads three arrays, and may hang, crash or run out of memory.

Run by its path with the file's path, a size and a number of seconds; it holds h5py and NumPy and nothing else. The HDF5
library trusts much of what a file says: one that is damaged makes it turn in circles, fall over, or ask for all memory.
Out come, on standard output, a line of JSON ([name, dtype, shape] of each array, and the checksum that is stored in the
file, or what is wrong) and the bytes of the arrays.
"""

import json
import sys

MEMORY = 1 << 29  # bytes beside the arrays: NumPy, h5py and HDF5 take some 300 MB of addresses
GROUPS = 100  # a file of Keras has some twenty


def limit(size, seconds):
    """Let this process have no more memory than MEMORY and ten times `size`, nor more seconds of work."""
    try:
        import resource
    except ImportError:  # Windows: the limit of time, which the caller keeps, is all
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY + 10 * size), (resource.RLIMIT_CPU, seconds)):
        resource.setrlimit(what, (most, most))


def datasets(group, h5py, prefix="", depth=5):
    """{place: dataset} below a group, as far as a file of Keras goes."""
    found = {}
    if len(group) > GROUPS:
        raise ValueError(f"found {len(group)} entries in {prefix or 'the file'}, wanted at most {GROUPS}")
    for name in group:
        kind = group.get(name, getlink=True)
        if not isinstance(kind, h5py.HardLink):
            raise ValueError(f"found a link at {prefix}{name}, wanted what is in the file itself")
        item = group[name]
        if isinstance(item, h5py.Dataset):
            found[prefix + name] = item
        elif depth:
            found |= datasets(item, h5py, f"{prefix}{name}/", depth - 1)
        else:
            raise ValueError(f"found a group within a group at {prefix}{name}, deeper than in a file of Keras")
        if len(found) > GROUPS:
            raise ValueError(f"found more than {GROUPS} arrays, wanted three")
    return found


def read(path, size):
    """[name, dtype, shape, array] of what stands in "layers/", and the checksum, or None where there is none."""
    import h5py

    arrays = []
    with h5py.File(path, "r") as file:
        found = datasets(file["layers"], h5py, "layers/") if "layers" in file else {}
        for name, item in found.items():
            if item.external or item.is_virtual:
                raise ValueError(f"found {name} in another file, wanted all in one")
            if item.dtype.str not in ("<f4", "<f8") or item.dtype.itemsize * item.size > size:
                raise ValueError(f"found {item.dtype} {item.shape} in {name}, wanted float32 or float64, {size} bytes")
            # in pieces, each of which is taken whole
            if item.chunks and (item.dtype.itemsize * _product(item.chunks) > size):
                raise ValueError(f"found pieces of {item.chunks} in {name} of {item.shape}, wanted no larger ones")
        for name, item in found.items():
            arrays.append([name, item.dtype.str, item.shape, item[()]])
        checksum = file.attrs.get("sha256")
    return arrays, str(checksum)[:64] if checksum is not None else None


def _product(sizes):
    product = 1
    for size in sizes:
        product *= int(size)
    return product


def main(path, size, seconds):
    """Write what is in the file, or what is wrong with it."""
    limit(size, seconds)
    try:
        arrays, checksum = read(path, size)
    except Exception as error:  # whatever a damaged file provokes in HDF5
        arrays, checksum = [], None
        said: dict = {"wrong": str(error)[:1000] or type(error).__name__}
    else:
        said = {"arrays": [array[:3] for array in arrays], "checksum": checksum}
    out = sys.stdout.buffer
    out.write(json.dumps(said).encode() + b"\n")
    for *_, array in arrays:
        out.write(array.tobytes())
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
