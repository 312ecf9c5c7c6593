"""The report in a real Chromium, from disk: it asks for nothing, complains of nothing, sorts, filters, turns dark, and
is what its results.json says; axe-core finds nothing that keeps somebody from reading it.

axe-core comes from npm: its folder from AXE_CORE, or else `npm pack` fetches it.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import browser
import pytest
from conftest import NO_NETWORK
from made_rows import CASES, SETTINGS, defects_frame, shown

from compare.pages import report

AXE = "axe-core@4.14.1"
UNREACHABLE = re.compile(r"code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)")


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The text of axe.min.js."""
    folder = Path(os.environ.get("AXE_CORE", tmp_path_factory.mktemp("axe")))
    if not list(folder.glob("axe-core-*.tgz")):
        if shutil.which("npm") is None:
            pytest.skip("no npm, which brings axe-core: the page's accessibility was not checked")
        command = ["npm", "pack", AXE, "--fetch-retries", "1", "--fetch-timeout", "60000"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
        if UNREACHABLE.search(done.stderr):
            pytest.skip(f"{NO_NETWORK}npm could not fetch axe-core: the page's accessibility was not checked")
        assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.fixture(scope="module")
def driver():
    driver = browser.driver()
    if driver is None:
        pytest.skip("no chromium and chromium-driver: the page was not opened in a browser")
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["good", "broken"])
def page(request, driver, tmp_path_factory):
    """The folder of a report, opened, before anything is done in it."""
    folder = tmp_path_factory.mktemp(request.param)
    more = (defects_frame(), shown()) if request.param == "good" else ()
    report.write_files(folder, report.render(*CASES[request.param](), SETTINGS, *more))
    browser.open_page(driver, folder / "index.html")
    return folder


def test_it_asks_for_nothing_and_complains_of_nothing(driver, page):
    browser.open_page(driver, page / "index.html")
    asked, said = browser.logs(driver)
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [(page / "index.html").as_uri()]


def test_what_it_forbids_is_forbidden(driver, page):
    text = (page / "index.html").read_text()
    other = page / "other.html"
    more = (
        '<b style="color: red">x</b><img src="https://example.org/a.png"><script>document.title = "run"</script></body>'
    )
    other.write_text(text.replace("</body>", more))
    browser.open_page(driver, other)
    _, said = browser.logs(driver)
    assert driver.title != "run"
    assert all(any(kind in line for line in said) for kind in ("style-src", "script-src", "img-src")), said
    browser.open_page(driver, page / "index.html")


def test_a_table_sorts_filters_and_copies(driver, page):
    box = driver.find_element("css selector", ".scroll.rows")  # quantities by what came of them
    head = box.find_elements("css selector", "thead th")[1]
    column = "return [...arguments[0].tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[1].textContent)"
    table = box.find_element("tag name", "table")
    before = driver.execute_script(column, table)
    head.find_element("tag name", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert driver.execute_script(column, table) == sorted(before, key=int)
    head.find_element("tag name", "button").click()
    assert driver.execute_script(column, table) == sorted(before, key=int, reverse=True)
    tools = box.find_element("xpath", "preceding-sibling::div[1]")
    tools.find_element("tag name", "input").send_keys("pytorch")
    assert len(driver.execute_script(column, table)) == 1
    tools.find_element("tag name", "input").clear()
    tools.find_element("tag name", "input").send_keys(" ")
    button = tools.find_element("tag name", "button")
    driver.execute_script(
        "document.addEventListener('copy', () => { window.copied = String(document.activeElement.value) })"
    )
    button.click()
    assert button.text == "copied"
    lines = driver.execute_script("return window.copied").split("\n")
    assert lines[0].startswith("implementation\tasked") and any(line.startswith("PyTorch\t") for line in lines)


def test_it_turns_dark_and_light(driver, page):
    def ground():
        return driver.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = ground()
    driver.find_element("id", "theme").click()
    dark = ground()
    assert sum(map(int, dark[4:-1].split(","))) < 150 < sum(map(int, light[4:-1].split(",")))
    driver.find_element("id", "theme").click()
    assert ground() == light


def test_links_lead_into_the_page(driver, page):
    links = driver.find_elements("css selector", "nav a")
    assert len(links) > 8
    for link in links:
        link.click()
        target = driver.find_element("id", link.get_attribute("href").split("#")[1])
        assert -1 < driver.execute_script("return arguments[0].getBoundingClientRect().top", target) < 900
    for link in driver.find_elements(
        "css selector", 'main a[href$=".csv"], main a[href$=".json"], main a[href$=".md"]'
    ):
        assert (page / link.get_attribute("href").rsplit("/", 1)[1]).is_file()


def test_it_says_what_its_results_say(driver, page):
    document = json.loads((page / "results.json").read_text())
    assert driver.find_element("tag name", "h1").text[2:] == document["verdict"][0]
    rows = driver.find_elements("css selector", ".scroll.rows tbody")[0].find_elements("tag name", "tr")
    found = {row.find_element("tag name", "th").text: row.find_elements("tag name", "td")[0].text for row in rows}
    asked = [row for row in document["parity"] if row["implementation"] == "torch"]
    assert found["PyTorch"] == str(len(asked))
    state = driver.find_element("tag name", "header").get_attribute("class")
    assert state == ("good" if document["exit_code"] == 0 else "bad")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_keeps_anybody_from_reading_it(driver, page, axe, theme):
    driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    # as the tool it is, and not as a script of the page, which the page forbids
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    run = "const done = arguments[0]; axe.run(document).then(found => done(found.violations))"
    found = driver.execute_async_script(run)
    told = [f"{each['id']}: {each['help']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
    assert told == []
    driver.execute_script("delete document.documentElement.dataset.theme")


@pytest.mark.parametrize("width", [400, 1200])
def test_it_is_no_wider_than_the_window(driver, page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def whole():
    return report.render(*CASES["good"](), SETTINGS, defects_frame(), shown())["index.html"]


def test_all_of_it_is_shown(driver, whole, tmp_path):
    (tmp_path / "index.html").write_text(whole, encoding="utf-8")
    seen, faults = browser.look(driver, tmp_path / "index.html")
    assert faults == []
    assert [len(pictures) for pictures in seen["figures"]] == [3, 2, 3, 1]  # at a glance, dtypes, trainings, drift
    assert seen["title"][0][0] == "✓"


BREAKAGE = {
    "a script": ("</body>", "<script>1 / 0</script></body>", "console: .*inline script"),
    "a picture from elsewhere": ("</figure>", '<img src="no.png"></figure>', "figure 1 has an empty picture"),
    "nothing is shown": ("<h1>", "<h1 hidden>", "no headline is shown"),
    "pictures lost": ("<svg", "<i", "figure 1 has no picture"),
    "a table without numbers": ("<td", "<th", "table 1 has no numbers"),
    "too wide": ("<main>", '<main><svg width="1300" height="20"></svg>', "pixels wider than the window"),
}


@pytest.mark.parametrize(("old", "new", "fault"), BREAKAGE.values(), ids=BREAKAGE)
def test_what_is_broken_is_seen(driver, whole, tmp_path, old, new, fault):
    (tmp_path / "index.html").write_text(whole.replace(old, new), encoding="utf-8")
    _, faults = browser.look(driver, tmp_path / "index.html")
    assert any(re.search(fault, line) for line in faults), faults
