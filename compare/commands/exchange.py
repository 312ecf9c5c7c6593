"""The commands for a network in another language, by files: `probes`, `judge`, `pair`, `record`."""

import click

from compare import files, plain
from compare.commands.options import FILE, SEED, PathOption, say

FOLDER = PathOption(file_okay=False)


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--format", "form", type=click.Choice(["npy", "raw"]), default="npy", show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64", "both"]), default="both", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of all numbers.")
def probes(folder, form, dtype, seed):
    """Write what a network in any language is asked: arrays, and a page that says what to compute of them.

    DIR is made, or empty. `raw` is little-endian numbers and nothing else, with a list of shapes in JSON and in text.
    Where the program has written its answers beside them, `judge DIR` holds them to this network.
    """
    from compare.exchange.asking import write_probes
    from compare.verdict.probes import DTYPES

    asked = write_probes(folder, form, seed, DTYPES if dtype == "both" else (dtype,))
    numbers = sum(array.size for each in asked for array in each.given.values())
    say(f"{len(asked)} cases, {numbers:,} numbers; what to compute: {plain.line(folder)}/README.md")
    return 0


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--save", "case_folder", type=FOLDER, help="Write the smallest failing case there.")
@click.option("--require", metavar="A,B", default="", help="Parts that must be judged: conv, pool, dense, ... or all.")
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
def judge(folder, case_folder, require, json_file):
    """Hold what a program wrote beside the probes of DIR to this network, as `check` does, and name the bug.

    Files alone are read: nothing of the program runs. What it left out is not judged, and the answer says so.
    """
    from compare.checking.saying.saving import save_case
    from compare.exchange.judging import judge as judge_folder

    files.check_writable(json_file)
    result = judge_folder(folder, require=require or ())
    say(str(result))
    if json_file:
        files.write_text(json_file, result.json())
    if case_folder:
        written = save_case(result, case_folder)
        say(f"written: {plain.line(written)}" if written else "nothing differs: no case to write")
    return result.exit_code


@click.command()
@click.argument("first", metavar="A", type=FOLDER)
@click.argument("second", metavar="B", type=FOLDER)
@click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there.")
def pair(first, second, json_file):
    """Hold what two programs wrote against each other, and name the first stage that differs.

    A and B are copies of one folder of `probes`, each filled by a program. Neither is held to this network: two that
    make the same mistake agree. What rounding allows is that of the larger unit roundoff of the two, for both.
    """
    from compare.exchange import pairing, said

    files.check_writable(json_file)
    result = pairing.pair(first, second)
    for line in said.lines(result):
        say(line)
    if json_file:
        files.write_text(json_file, said.document(result))
    return result.exit_code


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--implementation", required=True, metavar="NAME", help="One of those that `list` shows.")
@click.option("--format", "form", type=click.Choice(["npy", "raw"]), default="npy", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the probes, where they are written here.")
def record(folder, implementation, form, seed):
    """Let one of the known implementations answer the probes of DIR, as a program in another language would.

    Where DIR is not there, or empty, the probes are written first. `pair` then holds it against another recording.
    """
    from compare.exchange.recording import record as record_answers

    count = record_answers(folder, implementation, form, seed)
    say(f"{plain.line(folder)}: {count} arrays of {implementation}")
    return 0
