"""What the commands share: the kinds of their options, and how they print."""

import functools

import click

from compare import contract, plain
from compare.cells import limits

SEED = click.IntRange(0, limits.SEED)
THREADS = click.IntRange(1, limits.THREADS)
RUNS = click.IntRange(1, limits.RUNS)


def say(text, err=False):
    """Print it; what would steer the terminal, or what no output takes, as an escape."""
    click.echo(plain.visible(str(text)), err=err)


class PathOption(click.Path):
    """A path that is not empty: as a path, nothing would be the folder that one stands in."""

    def convert(self, value, param, ctx):
        """The path; refused where it is empty."""
        if value == "":
            self.fail("found '', wanted a path", param, ctx)
        return super().convert(value, param, ctx)


class Commands(click.Group):
    """Commands in the order in which they are written; an unknown one brings the nearest known name."""

    def list_commands(self, ctx):
        """Names, in the order in which they were added."""
        return list(self.commands)

    def resolve_command(self, ctx, args):
        """The command; where there is none, the nearest name is told."""
        if args and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(contract.unknown("command", args[0], self.commands), ctx)
        return super().resolve_command(ctx, args)


FILE = PathOption(dir_okay=False)
SCHEDULER = click.option(
    "--scheduler", metavar="ADDRESS", help="Place the cells by a scheduler of Dask, such as tcp://host:8786."
)


def comparing(*more):
    """The options that every comparison takes, then `more`."""
    common = [
        click.option("--implementations", metavar="A,B", help="Names or prefixes; default: all that are available."),
        click.option("--data", "data_source", metavar="SOURCE", help="sample, mnist, or a folder of IDX files."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Of weights and order."),
        click.option("--threads", type=THREADS, default=1, show_default=True, help="Of each."),
        click.option("--json", "json_file", metavar="FILE", type=FILE, help="Write all rows there."),
        click.option("--progress/--no-progress", default=None, help="Default: where stderr is a terminal."),
    ]

    def decorate(function):
        return functools.reduce(lambda f, option: option(f), reversed([*more, *common]), function)

    return decorate
