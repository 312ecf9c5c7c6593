"""Text from outside, made plain: what is seen is what is there, and not more of it than anybody reads.

A name, a message or what a program printed may hold anything: a newline that begins a line of its own, signs that
colour a terminal or write over what stands there, signs that turn the direction of reading, a hundred megabytes.
"""

LONGEST = 2000  # characters of one message
LINES = 200


def line(text, most=LONGEST):
    """On one line, with escapes for all that is not printed, and cut after `most` characters."""
    text = str(text)
    short = " ".join(visible(text[: 2 * most]).split())
    return short if len(short) <= most and len(text) <= 2 * most else f"{short[:most]} ..."


def lines(text):
    """The same line by line, and not more than LINES of them."""
    pieces = str(text)[: LONGEST * LINES].splitlines()
    more = [f"... and {len(pieces) - LINES} lines more"] if len(pieces) > LINES else []
    return "\n".join([*(visible(piece)[:LONGEST] for piece in pieces[:LINES]), *more])


def visible(text):
    """The same text, with an escape for each sign that is not printed; newlines and tabs stay.

    Signs that steer a terminal and those that turn the direction of reading are of these, and so are bytes of a file
    name that are no UTF-8, which no output takes.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape", "backslashreplace").decode()
        for each in text
    )
