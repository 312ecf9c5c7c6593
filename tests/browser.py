"""A page as a browser shows it: `python tests/browser.py report/index.html` says what is wrong with it, or was seen.

With a second file, `... docs/pictures/report.png`, it takes a picture of the first screen.
"""

import io
import json
import shutil
import sys
from pathlib import Path

from PIL import Image

QUIET = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
SIZE = (1200, 900)  # pixels
SCREEN = {"width": 1280, "height": 1060, "deviceScaleFactor": 1, "mobile": False}  # of a picture
# what the page is made of, once it is laid out
MEASURE = """
const box = element => { const { width, height } = element.getBoundingClientRect(); return [width, height]; };
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const title = document.querySelector("h1");
return {
  title: title ? [title.textContent.trim(), ...box(title)] : null,
  sections: all("h2").filter(element => box(element)[1] > 0).map(element => element.id),
  figures: all("figure").map(figure => all("svg, img", figure).map(picture => [
    ...box(picture), picture.tagName == "IMG" ? picture.naturalWidth : all("path, use, rect", picture).filter(
      element => box(element).some(size => size > 0)).length])),
  tables: all("table").map(table => all("tbody td", table).filter(
    cell => box(cell)[1] > 0 && /\\d|exact/.test(cell.textContent)).length),
  images: all("main img").filter(image => image.naturalWidth == 0 || box(image)[1] == 0).map(image => image.alt),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""


def executable():
    """The path of chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def driver():
    """A Selenium driver of Chromium that logs what is asked for and said; None where either is not installed."""
    found = shutil.which("chromedriver")
    if executable() is None or found is None:
        return None
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = executable()
    for each in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={SIZE[0]},{SIZE[1]}",
        *QUIET.split(),
    ):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(found))


def open_page(driver, path):
    """Load a file, with what was logged before forgotten."""
    logs(driver)
    driver.get(Path(path).resolve().as_uri())


def logs(driver):
    """The addresses that the page asked for since the last call, and what it wrote on its console."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return sent, [entry["message"] for entry in driver.get_log("browser")]


def look(driver, page):
    """What a browser shows of a page of ours.

    Returns:
        what was seen, a dict: title (text, width, height), sections (ids), figures (width, height and number of shapes
        of each picture in each), tables (cells with a number in each), images (words of those that show nothing), wide
        (pixels beyond the window); and the faults, a list of lines.
    """
    open_page(driver, page)
    asked, console = logs(driver)
    seen = driver.execute_script(MEASURE)
    own = Path(page).resolve().as_uri()
    faults = [f"asked for {url}" for url in asked if url != own and not url.startswith("data:")]
    faults += [f"console: {line}" for line in console]
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
    faults += [f"a picture is not shown: {words}" for words in seen["images"]]
    if seen["wide"] > 0:
        faults.append(f"the page is {seen['wide']} pixels wider than the window")
    return seen, faults


if __name__ == "__main__":
    found = driver()
    if found is None:
        sys.exit("no chromium and chromium-driver here, so nothing was looked at")
    try:
        found.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
        seen, faults = look(found, sys.argv[1])
        if sys.argv[2:] and not faults:
            picture = Image.open(io.BytesIO(found.get_screenshot_as_png())).convert("RGB")
            picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
    finally:
        found.quit()
    for fault in faults:
        print(f"{sys.argv[1]}: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    pictures = sum(map(len, seen["figures"]))
    print(f"{sys.argv[1]}: “{seen['title'][0]}”, {pictures} pictures, {sum(seen['tables'])} cells with numbers")
