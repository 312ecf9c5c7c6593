"""A rubric: how many points each part is worth, and what is allowed. A TOML file, or the one that is used without."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from compare import contract, plain
from compare.checking.saying.result import required
from compare.graph import BESIDE, STAGE_ORDER

NOT_GRADED = ("not run", "optimiser alone", *BESIDE)
PARTS = tuple(stage for stage in STAGE_ORDER if stage not in NOT_GRADED)
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax")
LARGEST = 1e6  # points
TEMPLATE = """\
# Points for each part of the network. A part that is not named here is worth nothing, and is judged all the same.
# Of a part that agrees in some of its quantities, that share of the points is given; of one that is not offered, none.
[points]
"conv forward" = 15
"pool forward" = 10
"dense forward" = 10      # where dense layer and softmax are one, both are judged by the probabilities
"softmax forward" = 10
"dense backward" = 15
"pool backward" = 15
"conv backward" = 15
"update" = 5
"training path" = 5
# "loss forward" = 0, "loss backward" = 0, "prediction" = 0; and that it leaves alone what it must not change:
# "input" = 0, "parameters" = 0

[rules]
part_points = true        # false: a part gets all of its points, or none
require = []              # of "conv", "pool", "dense", "softmax", "loss", "update": told where it is missing

[allow]
frameworks = []           # of "torch", "tensorflow", "keras", "jax": what imports another one gets no points
copies = false            # whether functions may be those of this project, word for word
"""


@dataclass(frozen=True)
class Rubric:
    """points: by part. part_points: whether a part may get some of them. require: words of `check --require`.

    frameworks: that may be imported. copies: whether this project's own functions may be handed in.
    """

    points: dict = field(default_factory=dict)
    part_points: bool = True
    require: tuple = ()
    frameworks: tuple = ()
    copies: bool = False

    @property
    def out_of(self):
        """All points together."""
        return sum(self.points.values())


def read(path=None):
    """The `Rubric` of a TOML file; without one, that of TEMPLATE.

    Raises:
        ValueError: it is no such file; the message names the key, what was found and what was wanted.
        OSError: it cannot be read.
    """
    where = "rubric" if path is None else plain.line(str(path))
    try:
        given = tomllib.loads(TEMPLATE if path is None else Path(path).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: no TOML: {error}") from error
    _known(where, "section", given, ("points", "rules", "allow"))
    points, rules, allow = (_section(where, given, name) for name in ("points", "rules", "allow"))
    _known(where, "part of [points]", points, PARTS)
    _known(where, "key of [rules]", rules, ("part_points", "require"))
    _known(where, "key of [allow]", allow, ("frameworks", "copies"))
    for name, value in points.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise ValueError(f"{where}: {name}: found {value!r}, wanted points from 0 on")
    if not any(points.values()):
        raise ValueError(f"{where}: [points]: found none, wanted points for at least one of {', '.join(PARTS)}")
    frameworks = _words(where, allow, "frameworks", FRAMEWORKS)
    try:
        require = required(_words(where, rules, "require", None))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    flags = {"part_points": rules.get("part_points", True), "copies": allow.get("copies", False)}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ValueError(f"{where}: {name}: found {value!r}, wanted true or false")
    ordered = {name: points[name] for name in PARTS if points.get(name)}
    return Rubric(ordered, flags["part_points"], require, frameworks, flags["copies"])


def _section(where, given, name):
    found = given.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{where}: {name}: found {found!r}, wanted a section [{name}]")
    return found


def _known(where, kind, given, names):
    for name in given:
        if name not in names:
            raise ValueError(f"{where}: {contract.unknown(kind, name, names)}")


def _words(where, section, name, known):
    found = section.get(name, [])
    if not (isinstance(found, list) and all(isinstance(each, str) for each in found)):
        raise ValueError(f"{where}: {name}: found {found!r}, wanted a list of names")
    for each in found if known else ():
        if each not in known:
            raise ValueError(f"{where}: {contract.unknown(name, each, known)}")
    return tuple(found)
