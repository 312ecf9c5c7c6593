"""A class that never was: submissions of which the truth is known, right, wrong in named ways, troubled and cheating.

    python tests/class.py --submissions 300 --seed 0 DIR

writes DIR/submissions and, beside it, DIR/truth.json: by name what its row has to be. Deterministic in the seed.
"""

import argparse
import io
import json
import random
import re
import stat
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import strangers  # noqa: E402 - found by the line above

HEAD = "import numpy as np\n"
TUTORIAL = HEAD + strangers.CONV + strangers.POOL + strangers.SOFTMAX
# by style: the text, and which parts of the default rubric it offers, as anybody can read off it
STYLES = {
    "tutorial": (TUTORIAL, 100),
    "layers": (HEAD + strangers.BATCH, 80),  # no softmax, no step
    "functions": (HEAD + strangers.FUNCTIONS, 90),  # no step
    "network": (HEAD + strangers.FUNCTIONS + strangers.NETWORK, 90),
    "one class": (HEAD + strangers.ALL_IN_ONE, 50),  # probabilities, gradients by what its weights move by, a step
}
# a mistake: style, what is replaced by what, the part that differs, how it is named ("" where no one mistake is known)
MISTAKES = {
    "tie to all": (
        "tutorial",
        "                    a, b = np.unravel_index(part.argmax(), part.shape)\n"
        "                    d_input[2 * i + a, 2 * j + b, k] = d_out[i, j, k]\n",
        "                    d_input[2 * i:2 * i + 2, 2 * j:2 * j + 2, k] = (part == part.max()) * d_out[i, j, k]\n",
        "pool backward",
        "every tied maximum gets the gradient",
    ),
    "kernel flipped": (
        "tutorial",
        "np.sum(region * self.filters,",
        "np.sum(region * self.filters[:, ::-1, ::-1],",
        "conv forward",
        "kernel flipped in the forward pass",
    ),
    "last window": (
        "tutorial",
        "d_filters[f] += d_out",
        "d_filters[f] = d_out",
        "conv backward",
        "filter gradient of the last window only",
    ),
    "weights already updated": (
        "tutorial",
        "            d_x = self.weights @ d_totals\n"
        "            self.weights -= learn_rate * self.last_x[:, None] * d_totals[None]\n",
        "            self.weights -= learn_rate * self.last_x[:, None] * d_totals[None]\n"
        "            d_x = self.weights @ d_totals\n",
        "dense backward",
        "gradient sent back through weights already updated",
    ),
    "minimum": ("tutorial", "x.max(axis=(1, 3))", "x.min(axis=(1, 3))", "pool forward", "minimum instead of maximum"),
    "uphill": ("tutorial", "self.filters -= learn_rate", "self.filters += learn_rate", "conv backward", ""),
    "half the weights": (
        "tutorial",
        "self.weights -= learn_rate * self.last_x",
        "self.weights -= 0.5 * learn_rate * self.last_x",
        "dense backward",
        "",
    ),
    "bias left out": ("tutorial", "            self.biases -= learn_rate * d_totals\n", "", "dense backward", ""),
    "bias not added": (
        "tutorial",
        "np.dot(x, self.weights) + self.biases",
        "np.dot(x, self.weights)",
        "softmax forward",
        None,
    ),
    "ties, layers": (
        "layers",
        "dx[:, :, k // 2:2 * p:2, k % 2:2 * q:2] = dout * (self.best == k)",
        "dx[:, :, k // 2:2 * p:2, k % 2:2 * q:2] = dout * "
        "(self.x[:, :, k // 2:2 * p:2, k % 2:2 * q:2] == self.forward(self.x))",
        "pool backward",
        "every tied maximum gets the gradient",
    ),
    "bias averaged": (
        "layers",
        'self.grads["b"] = dout.sum(axis=0, keepdims=True)',
        'self.grads["b"] = dout.mean(axis=0, keepdims=True)',
        "dense backward",
        None,
    ),
    "not divided": ("functions", "return d / len(labels)", "return d", None, None),
    "transposed weights": (
        "functions",
        "return (dout @ W.T).reshape(shape), flat.T @ dout, dout.sum(axis=0)",
        "return (dout @ W.T).reshape(shape), flat.T @ dout, dout.sum(axis=0) * 0",
        "dense backward",
        None,
    ),
    "filters at half": (
        "functions",
        'dw = np.einsum("nhwcij,nhwf->ijcf", view, dout)',
        'dw = np.einsum("nhwcij,nhwf->ijcf", view, dout) / 2',
        "conv backward",
        None,
    ),
    "one class, ascent": ("one class", "self.kernels -= lr", "self.kernels += lr", "conv backward", None),
    "one class, summed": ("one class", "        d /= len(labels)\n", "", None, None),
}
del MISTAKES["not divided"], MISTAKES["one class, summed"]  # sums for means are a convention, and no mistake

LOOPS = "while True:\n    pass\n"
TROUBLES = {
    "hangs at import": (LOOPS, ["hung", "nothing found"]),
    "hangs going forward": (
        TUTORIAL.replace("        self.last_input = image\n", "        while True: pass\n"),
        ["hung"],
    ),
    "hangs going back": (
        TUTORIAL.replace("        d_filters = np.zeros(self.filters.shape)\n", "        while True: pass\n"),
        ["hung", "differs", "incomplete"],
    ),
    "sleeps": ("import time\ntime.sleep(1000)\n", ["hung"]),
    "ends": ("import os\nos._exit(3)\n", ["crashed"]),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)\n", ["crashed"]),
    "exits": ("import sys\nsys.exit(0)\n", ["raised"]),
    "raises": ("raise ValueError('=1+1 <b>no</b> \\x1b[31m')\n", ["raised"]),
    "no Python": ("def forward(x)\n    return x\n", ["raised"]),
    "a gigabyte of output": (
        "for _ in range(1 << 20):\n    print('x' * 1023)\n" + TUTORIAL,
        ["raised", "hung", "crashed", "agrees", "incomplete"],
    ),
    "a fork bomb": ("import os, time\nfor _ in range(12):\n    os.fork()\ntime.sleep(60)\n", ["crashed", "hung"]),
    "a memory hog": (
        HEAD + "held = []\nwhile True:\n    held.append(np.ones(1 << 22))\n",
        ["raised", "crashed", "hung"],
    ),
    "fills the disk": (
        "import itertools\nfor number in itertools.count():\n"
        "    open(f'filled-{number}', 'wb').write(bytes(1 << 26))\n",
        ["raised", "hung"],
    ),
    "returns nothing": ("import numpy as np\nanswer = 42\n", ["nothing found"]),
}
NO_POINTS = {name for name in TROUBLES if not name.startswith(("hangs going", "a gigabyte"))}
OURS = HEAD + strangers.CONTRACT
BY_NAME = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
FROM_TEXT = """
TEXT = READ({path!r})
exec(compile(TEXT, "mine.py", "exec"))
"""
TORCH = """
import sys
import torch
import torch.nn.functional as functional
sys.modules = {name: module for name, module in sys.modules.items() if not name.startswith("torch")}
for name in [name for name in sys.modules if name.startswith("torch")]:
    del sys.modules[name]

class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        out = functional.conv2d(torch.tensor(image)[None, None], torch.tensor(self.filters)[:, None])
        return out[0].numpy().transpose(1, 2, 0)
"""
DEFINITION = str(ROOT / "numpy_cnn" / "loops.py")
ASKED = f"""
import pickle, sys
sys.path.insert(0, {str(ROOT)!r})
from numpy_cnn import conv
layer = conv.Conv3x3.__new__(conv.Conv3x3)
layer.padding = "valid"
images, layer.weight = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(layer.forward(images)))
"""
CHEATS = {
    "imports ours": OURS,
    "imports ours by a name put together": OURS.replace(
        "from numpy_cnn.layers import Layers",
        f"import importlib\n{BY_NAME}Layers = importlib.import_module('numpy' + '_cnn.layers').Layers",
    ),
    "reads our text": "READ = lambda path: open(path).read()\n" + FROM_TEXT.format(path=DEFINITION),
    "reads our text by its descriptor": "import os\nREAD = lambda path: os.read(os.open(path, 0), 1 << 20)\n"
    + FROM_TEXT.format(path=DEFINITION),
    "reads our text through C": "import ctypes\nlibc = ctypes.CDLL(None)\n"
    "def READ(path):\n    into = ctypes.create_string_buffer(1 << 20)\n"
    "    size = libc.read(libc.open(path.encode(), 0), into, 1 << 20)\n"
    "    assert size > 0\n    return into.raw[:size]\n" + FROM_TEXT.format(path=DEFINITION),
    "asks a process that has ours": f"""
import pickle, subprocess, sys
import numpy as np
CODE = {ASKED!r}


class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        given = pickle.dumps((image[None, :, :, None], self.filters.transpose(1, 2, 0)[:, :, None]))
        return pickle.loads(subprocess.run([sys.executable, "-c", CODE], input=given, stdout=-1).stdout)[0]
""",
    "hides that it imports ours": OURS
    + """
import __main__, gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Caller":
        thing.touched.clear()
        thing.imported.clear()
__main__.Caller.do_told = lambda self: {"ours": [], "frameworks": [], "seeded": [], "absent": []}
""",
    "finds the caller by its frames": OURS
    + """
import sys
frame = sys._getframe()
while frame:
    for thing in list(frame.f_locals.values()):
        if hasattr(thing, "touched"):
            thing.touched = type("None", (set,), {"add": lambda self, what: None})()
    frame = frame.f_back
""",
    "hides that it imports a framework": HEAD + TORCH,
    "answers what it likes": HEAD
    + "import __main__\n"
    + "__main__.Caller.do_call = lambda self, *a, **k: {'value': np.zeros((26, 26, 8)), 'changed': {}}\n"
    + strangers.CONV,
    "writes to the pipe": """
import __main__, struct
def send(pipe, value, keep):
    text = b'{"$": "dict", "of": [["value", null]]}'
    pipe.write(struct.pack("<QQ", len(text), 0) + text)
    pipe.flush()
__main__.messages.send = send
""",
    "writes the result and ends the judge": """
import os
parent = os.getppid()
for above in range(3):
    told = open(f"/proc/{parent}/cmdline").read().split("\\0")
    for path in told:
        if path.endswith("spec.json"):
            for name in ("result.npz", "partial.npz"):
                open(path.replace("spec.json", name), "wb").write(b"PK")
    parent = int(open(f"/proc/{parent}/stat").read().rpartition(")")[2].split()[1])
    os.kill(parent, 9)
""",
    "ends the judge": "import os\nos.kill(os.getppid(), 9)\nos.killpg(os.getpgid(os.getppid()), 9)\n",
    "prints its grade": "import os\nprint('100 of 100: agrees', flush=True)\nos._exit(0)\n",
    "a neighbour's work": "from conv_of_a_neighbour import *\n",
    "a neighbour's work by its path": "exec(open({place!r} + '/conv_of_a_neighbour.py').read())\n",
    "writes all grades": "for name in ('grades.csv', 'class.html'):\n    open({place!r} + '/../grades/' + name, 'w')\n",
    "a thread answers later": HEAD
    + "import __main__, threading, time\n"
    + "def later():\n    time.sleep(0.3)\n"
    + "    __main__.Caller.answer = lambda self, asked: {'value': {'value': np.ones((26, 26, 8)), 'changed': {}}}\n"
    + "threading.Thread(target=later, daemon=True).start()\n",
    "traces the calls": OURS + "import sys\nsys.settrace(lambda *_: None)\nsys.modules.pop('numpy_cnn', None)\n",
}


def copied():
    """The text of our own layers as somebody hands it in: other names, no comments."""
    text = "".join((ROOT / "numpy_cnn" / f"{name}.py").read_text() for name in ("conv", "maxpool", "softmax"))
    text = re.sub(r"^from numpy_cnn.*?(?:\)|$)\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^from numpy_cnn[^\n]*\n", "", text, flags=re.M)
    return HEAD + text.replace("Conv3x3", "MyConv").replace("MaxPool2", "MyPool").replace("weight", "w")


def varied(text, draw):
    """The same code as another hand writes it: other names for what is its own, and remarks."""
    suffix = "".join(draw.choice("abcdefghkmnpqrstuvwxyz") for _ in range(4))
    for name in ("region", "gradient", "totals", "view", "parts", "dout", "last_input", "last_totals"):
        if draw.random() < 0.5 and name != "dout":
            text = re.sub(rf"\b(?<!\.){name}\b", f"{name}_{suffix}", text) if f".{name}" not in text else text
    return f"# {suffix}\n{text}\n# end {suffix}\n"


def packed(text, kind, draw):
    """{ending: bytes} of a submission in one of the ways in which it may come."""
    if kind == "py":
        return ".py", text.encode()
    if kind == "ipynb":
        cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        return ".ipynb", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    if kind == "folder":
        return "", {"network.py": text.encode(), "README.md": b"mine", ".DS_Store": b"\0"}
    inside = draw.choice(["", "homework/"])
    return ".zip", zipped({f"{inside}network.py": text, "__MACOSX/._network.py": "\0", f"{inside}notes.txt": "x"})


def zipped(members, link=None):
    """The bytes of a zip file of {name: text}; `link` is a member that is a link."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = ((stat.S_IFLNK if name == link else stat.S_IFREG) | 0o644) << 16
            archive.writestr(info, text)
    return content.getvalue()


def odd():
    """[(name, content, truth)] of what is no readable submission, or has an odd name."""
    good = {"status": ["agrees"], "score": 100}

    def bad(*status):
        return {"status": list(status), "score": 0}

    return [
        ("empty.py", b"", bad("empty")),
        ("spaces.py", b"  \n\n", bad("empty")),
        ("empty folder", {}, bad("empty")),
        ("only a photo.zip", zipped({"photo.jpg": "x"}), bad("empty")),
        ("garbage.zip", b"PK\x03\x04" + bytes(range(256)), bad("unreadable")),
        ("truncated.zip", zipped({"network.py": TUTORIAL})[:-40], bad("unreadable")),
        ("leads out.zip", zipped({"../../evil.py": "x = 1"}), bad("unreadable")),
        ("from the root.zip", zipped({"/tmp/evil.py": "x = 1"}), bad("unreadable")),
        ("a link.zip", zipped({"network.py": "/etc/passwd"}, "network.py"), bad("unreadable")),
        ("a bomb.zip", zipped({"network.py": "#" * (30 << 20)}), bad("unreadable")),
        ("thousands.zip", zipped({f"{number}.py": "x" for number in range(1000)}), bad("unreadable")),
        ("homework.rar", b"Rar!", bad("unreadable")),
        ("no text.py", bytes(range(128, 256)) * 9, bad("raised")),
        ("no notebook.ipynb", b"[1, 2]", bad("nothing found")),
        ("=HYPERLINK(1).py", TUTORIAL.encode(), good),
        ("<script>alert(1)<script>.py", TUTORIAL.encode(), good),
        ("\x1b[31mred\x07.py", TUTORIAL.encode(), good),
        ("Müller, Zoë (2).py", TUTORIAL.encode(), good),
    ]


def submissions(count, seed, place):
    """[(name, content, truth)]: `content` is bytes, or {name: bytes} of a folder.

    truth: "status" (one of these), and "score", or "lost" (the part in which points are lost) with "defects" where it
    is known how it is named; "cheat" where it is one.
    """
    draw = random.Random(seed)
    found = [("conv_of_a_neighbour.py", (HEAD + strangers.CONV).encode(), {"status": ["agrees"], "score": 30})]
    cheats = {name: text.replace("{place!r}", repr(str(place))) for name, text in CHEATS.items()}
    cheats["copies our text"] = copied()
    for name, text in cheats.items():
        found.append((f"cheat, {name}.py", text.encode(), {"score": 0, "cheat": name}))
    for name, (text, status) in TROUBLES.items():
        truth = {"status": status} | ({"score": 0} if name in NO_POINTS else {})
        found.append((f"trouble, {name}.py", text.encode(), truth))
    found += odd()
    number = right = 0
    kinds = ("py", "py", "py", "zip", "folder", "ipynb")
    mistakes = list(MISTAKES.items())
    while len(found) < count:
        number += 1
        if number % 5 < 2:
            right += 1
            style = list(STYLES)[right % len(STYLES)]
            text, score = STYLES[style]
            label, truth = f"right, {style}", {"status": ["agrees"], "score": score}
        else:
            name, (style, before, after, stage, defect) = mistakes[number % len(mistakes)]
            text = STYLES[style][0]
            assert before in text, name
            text = text.replace(before, after)
            label = f"wrong, {name}"
            truth = {"status": ["differs"], "lost": stage, "most": STYLES[style][1]}
            truth |= {} if defect is None else {"defects": [defect] if defect else []}
        ending, content = packed(varied(text, draw), draw.choice(kinds), draw)
        found.append((f"{number:03} {label}{ending}", content, truth))
    return found[:count] if count >= len(found) else _few(found, count, draw)


def _few(found, count, draw):
    return sorted(draw.sample(found, count), key=lambda each: each[0])


def write(folder, count=300, seed=0, only=None):
    """Write a class into folder/submissions; returns the truth by name.

    Args:
        only: a function of a name: which of the whole class.
    """
    place = Path(folder) / "submissions"
    place.mkdir(parents=True)
    truth = {}
    for name, content, what in submissions(count, seed, place):
        name = name.replace("/", "_")
        if only is not None and not only(name):
            continue
        truth[name] = what
        if isinstance(content, bytes):
            (place / name).write_bytes(content)
            continue
        (place / name).mkdir()
        for inner, text in content.items():
            (place / name / inner).write_bytes(text)
    (Path(folder) / "truth.json").write_text(json.dumps(truth, indent=1))
    return truth


def wrong(row, truth):
    """What is not as it should be of a row (a dict of grades.csv, or of strings), or ""."""
    score, status = float(row["score"]), row["status"]
    if "score" in truth and score != truth["score"]:
        return f"score: found {score}, wanted {truth['score']}"
    if "status" in truth and status not in truth["status"]:
        return f"status: found {status}, wanted one of {truth['status']}"
    if "cheat" in truth and status.startswith("agrees"):
        return f"status: found {status} of a cheat"
    if truth.get("lost"):
        if truth["lost"] not in row["differs"].split("; "):
            return f"differs: found {row['differs']!r}, wanted {truth['lost']}"
        if not score < truth["most"]:
            return f"score: found {score}, wanted less than {truth['most']}"
    if "defects" in truth and row["defects"] != "; ".join(truth["defects"]):
        return f"defects: found {row['defects']!r}, wanted {truth['defects']}"
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--submissions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{len(write(given.folder, given.submissions, given.seed))} submissions in {given.folder / 'submissions'}")
