"""What numbers depend on: versions, processor, threads, and the settings that change them."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("compare", "numpy_cnn", "torch_cnn", "keras_cnn")
PACKAGES = ("numpy", "torch", "tensorflow", "keras", "jax", "optax", "onnxruntime", "pandas", "mlxtend", "mnist")
SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "MKL_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "XLA_FLAGS",
)


def describe(threads, results=()):
    """A dict that JSON can hold: python, system, processor, cores, memory, versions, blas, threads, settings.

    `implementations` and `keras_backends` hold by name what was read in the processes that ran them.

    Args:
        threads: number of threads that each implementation was given.
        results: `cells.Result`s, whose framework versions were read in the process that ran them.
    """
    import psutil
    import threadpoolctl

    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": versions,
        "implementations": {r.spec["implementation"]: r.meta["version"] for r in results if "version" in r.meta},
        "keras_backends": {
            r.spec["implementation"]: r.meta["keras_backend"] for r in results if r.meta.get("keras_backend")
        },
        "blas": [
            {key: library.get(key) for key in ("internal_api", "version", "architecture")}
            for library in threadpoolctl.threadpool_info()
        ],
        "threads": threads,
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def project():
    """This project's version, and the first digits of the SHA-256 of its code: a checkout may have any."""
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    try:
        version = importlib.metadata.version("numpy-cnn-parity")
    except importlib.metadata.PackageNotFoundError:  # a checkout that nobody installed
        version = "not installed"
    return f"{version}, code {digest.hexdigest()[:12]}"


def processor(listed=Path("/proc/cpuinfo")):
    """The processor's own name, from the file in which Linux gives it; elsewhere from cpuinfo, which takes a second."""
    with contextlib.suppress(OSError):  # not Linux
        for line in listed.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    import cpuinfo

    return cpuinfo.get_cpu_info().get("brand_raw", platform.processor())
