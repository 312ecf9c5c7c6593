"""A page as a browser shows it: `python tests/browser.py report/index.html` says what is wrong with it, or was seen.

The page forbids scripts. So it is opened twice: as it is, for what the browser complains of, and as a copy without that
rule, which measures itself.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RULE = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
QUIET = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
SIZE = (1200, 900)  # pixels
# what the page is made of, once it is laid out
MEASURE = """
const box = element => { const { width, height } = element.getBoundingClientRect(); return [width, height]; };
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
document.documentElement.dataset.seen = JSON.stringify({
  title: document.querySelector("h1") ? [document.querySelector("h1").textContent.trim(), ...box(document.querySelector("h1"))] : null,
  sections: all("h2").filter(element => box(element)[1] > 0).map(element => element.id),
  figures: all("figure").map(figure => all("svg, img", figure).map(picture => [
    ...box(picture), picture.tagName == "img" ? picture.naturalWidth : all("path, use, rect", picture).filter(
      element => box(element).some(size => size > 0)).length])),
  tables: all("table").map(table => all("tbody td", table).filter(
    cell => box(cell)[1] > 0 && /\\d|exact/.test(cell.textContent)).length),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
});
"""  # noqa: E501


def executable():
    """The path of chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def opened(page, *options):
    """The DOM that a browser makes of a file, and what it wrote on its console, a line each."""
    with tempfile.TemporaryDirectory() as profile:
        command = [executable(), "--headless", "--no-sandbox", "--disable-gpu", *QUIET.split(), *options]
        command += [
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--dump-dom",
            Path(page).resolve().as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def look(page):
    """What a browser shows of a page of ours.

    Returns:
        what was seen, a dict: title (text, width, height), sections (ids), figures (width, height and number of shapes
        of each picture in each), tables (cells with a number in each), wide (pixels beyond the window); and the faults,
        a list of lines.
    """
    text = Path(page).read_text(encoding="utf-8")
    _, console = opened(page)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "index.html")
        copy.write_text(RULE.sub("", text).replace("</body>", f"<script>{MEASURE}</script></body>"), encoding="utf-8")
        dom, _ = opened(copy, f"--window-size={SIZE[0]},{SIZE[1]}", "--hide-scrollbars")
    match = re.search(r'data-seen="([^"]*)"', dom)
    if match is None:
        return {}, ["the page was not laid out to its end"]
    seen = json.loads(html.unescape(match[1]))
    faults = [f"console: {line}" for line in console]
    if not seen["title"] or not all(seen["title"]):
        faults.append(f"no headline is shown: {seen['title']}")
    for kind in ("sections", "figures", "tables"):
        if not seen[kind]:
            faults.append(f"no {kind} are shown")
    for number, pictures in enumerate(seen["figures"], 1):
        if not pictures:
            faults.append(f"figure {number} has no picture")
        # an axis and its frame alone have a dozen shapes; a line of no height is one without marks
        faults += [f"figure {number} has an empty picture: {each}" for each in pictures if min(each) < 10]
    faults += [f"table {number} has no numbers" for number, cells in enumerate(seen["tables"], 1) if not cells]
    if seen["wide"] > 0:
        faults.append(f"the page is {seen['wide']} pixels wider than the window")
    return seen, faults


if __name__ == "__main__":
    seen, faults = look(sys.argv[1])
    for fault in faults:
        print(f"{sys.argv[1]}: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    pictures = sum(map(len, seen["figures"]))
    print(f"{sys.argv[1]}: “{seen['title'][0]}”, {pictures} pictures, {sum(seen['tables'])} cells with numbers")
