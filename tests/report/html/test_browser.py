"""The page in a browser: sorting, filtering, themes, printing, the keyboard, and what axe-core finds."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import result_files
from reported_runs import hostile_document, judgement, suite_document

from pytest_throughput.cli import main
from pytest_throughput.report.charts.chart import Cell, DataTable, Section
from pytest_throughput.report.html.page import Page, render

pytestmark = pytest.mark.slow

PROGRAMS = ("chromium", "chromedriver")
AXE = {"axe_playwright_python": "axe.min.js", "axe_selenium_python": "node_modules/axe-core/axe.min.js"}
"""Packages that have axe-core, of versions years apart, which find different violations."""


class Browser:
    """A headless Chromium, and what a page in it has said and loaded."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, page: Path, *, width: int = 1440, theme: str = "light") -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self._driver.get(page.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        return self._driver.execute_script(script, *arguments)

    def promised(self, script: str) -> Any:
        """Return what a promise gives."""
        return self._driver.execute_async_script(f"const done = arguments[0]; ({script}).then(done)")

    def press(self, *keys: str) -> None:
        self._driver.switch_to.active_element.send_keys(*keys)

    def cdp(self, command: str, **arguments: object) -> Any:
        return self._driver.execute_cdp_cmd(command, arguments)

    def console(self) -> list[str]:
        """Return the messages of the console since the last call."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        messages = (json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}, as Debian packages it")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 24 cases with verdicts."""
    folder = tmp_path_factory.mktemp("report")
    verdicts = judgement([("training-jax-cpu-resnet50-b1-fp32-compiled", "regressed", 0.5), ("b", "unchanged", 1.0)])
    document = suite_document(24, verdicts=verdicts)
    document["throughput"]["cases"][3] |= {"status": "failed", "reason": "it raised an error", "trials": []}
    file = result_files.write(folder, "run.json", document)
    assert main(["report", file, "-o", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with a change point and a wanted one."""
    folder = tmp_path_factory.mktemp("history")
    cases = ("training-pt-cpu-alex-b1", "training-jax-cpu-vgg-b8")
    names = []
    for seed in range(14):
        slower = {cases[0]: 0.1 * (seed >= 6), cases[1]: 0.1 * (seed >= 9)}
        document = result_files.our_document(seed, cases=cases, slower=slower)
        names.append(result_files.write(folder, f"r{seed}.json", document))
    baseline = f"--baseline={folder / 'kept'}"
    assert main(["accept", *names, baseline]) == main(["accept", names[6], baseline, "--note", "a new driver"]) == 0
    assert main(["history", baseline, "-o", str(folder / "history.html")]) == 0
    return folder / "history.html"


ROWS = "[...document.querySelectorAll('#cases ~ .tables tbody tr')]"


def texts(browser: Browser, heading: str) -> list[str]:
    """Return the texts of a column of the table of cases, of the rows that are shown."""
    return browser.run(  # type: ignore[no-any-return]
        f"""
        const headings = [...document.querySelectorAll('#cases ~ .tables thead th')].map((each) => each.textContent);
        const column = headings.indexOf(arguments[0]);
        return {ROWS}.filter((row) => !row.hidden).map((row) => row.cells[column].textContent);
        """,
        heading,
    )


def sort_by(browser: Browser, heading: str) -> str:
    """Press the button of a heading; return the order that the heading names."""
    return browser.run(  # type: ignore[no-any-return]
        """
        const headings = [...document.querySelectorAll('#cases ~ .tables thead th')];
        const heading = headings.find((each) => each.textContent === arguments[0]);
        heading.querySelector('button').click();
        return heading.getAttribute('aria-sort');
        """,
        heading,
    )


def enter(browser: Browser, words: str) -> str:
    """Filter the cases; return what the page says of the number of rows."""
    return browser.run(  # type: ignore[no-any-return]
        """
        const field = document.querySelector('.filter input');
        field.value = arguments[0];
        field.dispatchEvent(new Event('input'));
        return document.querySelector('.filter output').textContent;
        """,
        words,
    )


def test_rows_are_sorted_by_numbers_and_by_texts(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert sort_by(browser, "images/s") == "ascending"
    shown = texts(browser, "images/s")
    assert shown[-1] == "-"
    numbers = [float(each.replace(",", "")) for each in shown[:-1]]
    assert numbers == sorted(numbers)
    assert sort_by(browser, "images/s") == "descending"
    shown = texts(browser, "images/s")
    assert [float(each.replace(",", "")) for each in shown[:-1]] == sorted(numbers, reverse=True)
    assert shown[-1] == "-"
    assert sort_by(browser, "framework") == "ascending"
    assert texts(browser, "framework") == sorted(texts(browser, "framework"))
    assert browser.run("return document.querySelectorAll('#cases ~ .tables [aria-sort]').length") == 1


def test_rows_are_filtered_by_all_words(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert enter(browser, "JAX training 2") == "2 of 24 rows"
    assert set(texts(browser, "framework")) == {"jax"}
    assert set(texts(browser, "batch size")) == {"2"}
    assert enter(browser, "failed") == "1 of 24 rows"
    assert enter(browser, "no such word") == "0 of 24 rows"
    assert enter(browser, "") == ""
    assert len(texts(browser, "framework")) == 24


def test_a_long_table_shows_its_first_rows_until_all_are_asked_for(browser: Browser, tmp_path: Path) -> None:
    rows = tuple((Cell(f"row {number}"), Cell(str(number), number)) for number in range(600))
    table = DataTable("600 rows", ("name", "images/s"), rows, frozenset({1}), is_filterable=True)
    (tmp_path / "long.html").write_text(render(Page("Long", (), (Section("cases", "Every case", tables=(table,)),))))
    browser.open(tmp_path / "long.html")
    assert browser.run("return document.querySelector('.filter output').textContent") == "the first 500 of 600 rows"
    sort_by(browser, "images/s")
    assert sort_by(browser, "images/s") == "descending"
    shown = texts(browser, "images/s")
    assert (len(shown), shown[0]) == (500, "599")
    assert enter(browser, "row 5") == "1 of 600 rows"
    assert enter(browser, "") == "the first 500 of 600 rows"
    browser.run("document.querySelector('.filter button').click()")
    assert len(texts(browser, "images/s")) == 600
    assert browser.run("return document.querySelector('.filter button').hidden")


def test_commands_are_whole(browser: Browser, page: Path) -> None:
    browser.open(page)
    commands = browser.run(f"return {ROWS}.map((row) => row.querySelector('code').textContent)")
    assert all(command.startswith("pytest ") for command in commands)
    assert {command.partition(" --throughput-protocol ")[2] for command in commands} == {
        "quick --throughput-isolation trial --throughput-threads 2 --throughput-allocator tuned"
    }
    assert browser.run("return document.querySelector('.end')") is None


def test_the_theme_follows_the_system_until_it_is_chosen(browser: Browser, page: Path) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor"
    press = "const theme = document.getElementById('theme'); theme.click(); return theme.textContent"
    browser.open(page)
    light = browser.run(paper)
    assert browser.run(press) == "Light theme"
    dark = browser.run(paper)
    assert dark != light
    assert browser.run(press) == "Dark theme"
    assert browser.run(paper) == light
    browser.open(page, theme="dark")
    assert browser.run(paper) == dark


def test_the_keyboard_reaches_the_content_and_the_sorting(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press("\ue004")  # Tab
    assert browser.run("return document.activeElement.className") == "skip"
    assert browser.run("return document.activeElement.getBoundingClientRect().top") >= 0
    browser.press("\ue007")  # Enter
    assert browser.run("return document.activeElement.id") == "content"
    browser.run("document.querySelector('#cases ~ .tables thead button').focus()")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    browser.press("\ue007")
    assert browser.run("return document.querySelector('#cases ~ .tables thead th').ariaSort") == "ascending"


def test_the_page_prints(browser: Browser, page: Path) -> None:
    browser.open(page, theme="dark")
    document = base64.b64decode(browser.cdp("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert document.startswith(b"%PDF")
    assert document.count(b"/Type /Page\n") >= 2
    browser.cdp("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return getComputedStyle(document.getElementById('theme')).display") == "none"
    browser.cdp("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("name", ["page", "history"])
@pytest.mark.parametrize("width", [375, 1440])
def test_the_page_itself_never_scrolls_sideways(
    browser: Browser, request: pytest.FixtureRequest, name: str, width: int
) -> None:
    browser.open(request.getfixturevalue(name), width=width)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("name", ["page", "history"])
@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 375)])
@pytest.mark.parametrize("package", AXE)
def test_axe_finds_no_violation(
    browser: Browser, request: pytest.FixtureRequest, package: str, name: str, theme: str, width: int
) -> None:
    if find_spec(package) is None:
        pytest.skip(f"needs {package}, which has axe-core")
    browser.open(request.getfixturevalue(name), width=width, theme=theme)
    browser.run("document.querySelectorAll('figure details').forEach((each) => { each.open = true; })")
    browser.run((files(package) / AXE[package]).read_text())
    found = browser.promised("axe.run()")
    problems = [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found["violations"]]
    assert problems == []


def test_a_page_says_nothing_and_asks_no_network(browser: Browser, page: Path) -> None:
    browser.console(), browser.requests()
    browser.open(page)
    sort_by(browser, "images/s")
    enter(browser, "jax")
    assert browser.console() == []
    assert {address.partition(":")[0] for address in browser.requests()} == {"file"}


def test_a_hostile_file_runs_no_script(browser: Browser, tmp_path: Path) -> None:
    file = result_files.write(tmp_path, "run.json", hostile_document())
    assert main(["report", file, "-o", str(tmp_path / "report.html")]) == 0
    browser.console(), browser.requests()
    browser.open(tmp_path / "report.html")
    assert sort_by(browser, "status") == "ascending"
    assert browser.run("return window.hacked === undefined")
    assert browser.console() == []
    assert {address.partition(":")[0] for address in browser.requests()} == {"file"}
