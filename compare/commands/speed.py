"""The command `speed`."""

import click

import compare
from compare import contract, files, plain
from compare.commands.options import FILE, RUNS, comparing, say

LIMIT = click.FloatRange(min=0, min_open=True)

BASELINE = "Hold the ratios against those of an earlier --json, or a report's results.json."


@click.command()
@comparing(
    click.option("--batch-size", type=click.IntRange(min=1), multiple=True, help="Default: 1, 32 and 256."),
    click.option("--rounds", type=RUNS, default=5, show_default=True, help="Processes for each."),
    click.option("--samples", type=RUNS, default=100, show_default=True, help="Timings in each process, at most."),
    click.option("--reference", metavar="NAME", help="Ratios are to it; default: numpy-fused, or the first timed."),
    click.option("--budget", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Add rounds if unsure."),
    click.option("--strict", is_flag=True, help="Exit with 3 where an interval stays wider than 10%."),
    click.option("--baseline", metavar="FILE", type=FILE, help=BASELINE),
    click.option("--slower", type=LIMIT, default=1.2, show_default=True, help="Times that --baseline lets pass."),
    click.option("--aa", type=RUNS, metavar="RUNS", help="Instead: hold the reference against itself so many times."),
)
def speed(aa, baseline, slower, strict, json_file, **settings):
    """Time training steps and predictions of all that pass parity, side by side.

    Intervals are of 95%, from rounds in which both ran. A ratio is no difference where its interval holds 1, or where
    it is no larger than what the reference differs from itself. Exits with 1 where --baseline finds one slower, with 3
    where it cannot tell: a row is missing, threads or versions are others, or an interval is too wide.
    """
    from compare import output
    from compare.clock import baseline as baselines
    from compare.clock import targets
    from compare.clock import words as speed_words

    settings["batch_sizes"] = list(settings.pop("batch_size")) or [1, 32, 256]
    if aa:
        return _against_itself(aa, settings)
    files.check_writable(json_file)
    then = None if baseline is None else baselines.read(baseline)
    settings["reference"] = settings["reference"] or (then["reference"] if then else None)
    frame = compare.speed(**settings)
    say(f"data: {plain.line(frame.attrs['data'])}; float32, {settings['threads']} thread(s) each, in turns\n")
    say(output.table(output.speed_table(frame)))
    say("\n" + output.table(speed_words.costs_table(frame.attrs["costs"])))
    for line in ["", *speed_words.lines(frame), *output.target_lines(targets.targets(frame)), *output.remarks(frame)]:
        say(line)
    output.write_json(json_file, "speed", frame)
    codes = [output.exit_code(frame), 3 if strict and speed_words.unstable(frame)[0] else 0]
    if then:
        held = baselines.hold(frame, then, slower)
        say("\n" + "\n".join(f"{outcome}: {line}" for outcome, line in held))
        codes.append(baselines.exit_code(held))
    return next((code for code in (1, 4, 3) if code in codes), 0)


def _against_itself(runs, settings):
    """The campaign of `--aa`: 0 where at most 5% were called different, else 1; 3 where nothing was decided."""
    from compare.clock import campaign
    from compare.clock.rounds import CONFIDENCE
    from compare.clock.speed import FIRST

    names = contract.select(settings["implementations"], "speed")
    name = settings["reference"] or (FIRST if FIRST in names else names[0])
    found: dict[tuple, dict] = {}
    for size in settings["batch_sizes"]:
        say(f"{name} against itself, batch {size}, {settings['threads']} thread(s), {settings['rounds']} rounds a run")
        some = {key: settings[key] for key in ("data_source", "seed", "threads", "rounds", "samples", "progress")}
        counts = campaign.campaign(runs, name, batch_size=size, **some)
        found |= {(size, task): count for task, count in counts.items()}
        for line in campaign.lines(counts):
            say(line)
    shares = [counts["different"] / counts["runs"] for counts in found.values() if counts["runs"]]
    return 3 if not shares else int(max(shares) > 1 - CONFIDENCE)
