"""The page of a report in a real browser: nothing is run, nothing is loaded, everything can be read."""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.browser import Browser, Page
from support.store_builder import Store, blob_path

from regsweep import plan, report
from regsweep.library import open_store

SCRIPT = "<script>window.ran = true; document.title = 'ran'</script>"
IMAGE = '"\'><img src=x onerror="window.ran = true">'
STYLE = "</style><style>* { display: none }"
LONG = "a-name-without-any-place-to-break-it-" * 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> report.Report:
    """A plan for a store of many repositories, damaged and broken images, and names that would be HTML."""
    built = Store()
    for number in range(60):
        team = ("platform", "data-science", "web", "mobile/android", "mobile/ios")[number % 5]
        built.repository(f"{team}/app-{number}").image(f"{number} " * (200 + 60_000 // (number + 1)))
    for name in (SCRIPT, IMAGE, STYLE, LONG):
        built.repository(name).image(f"large {name}".ljust(30_000))
        built.repository(name).image(name, tag="latest")
        damaged = built.repository(f"{name}/damaged").image(f"{name} damaged", tag="1.0")
        built.put(blob_path(damaged.digest), b"{")
    broken = built.repository("team/broken")
    lost = broken.layer("lost")
    broken.image(lost, tag="2.0")
    built.remove_blob(lost.digest)
    for number in range(5):
        built.blob(f"orphan {number} " * 8_000)
    built.age(40 * 86_400)
    store = open_store(built.write(tmp_path_factory.mktemp("store")))
    made = report.of_made(plan.make(store, mode="untagged"), store, clock=lambda: 1_795_400_100.0)
    totals = plan.Totals(tags=1, manifests=2, layer_links=3, blobs=4, bytes=5 << 30)
    held = report.Held("20261120T021500Z-00000001", "confirmed", 1_795_100_100.0, totals, "can be purged in 4d02h")
    return replace(made, held=(held,))


@pytest.fixture(scope="module")
def page_file(made: report.Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report.to_html(made))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


SCREENS = [(360, False), (360, True), (768, False), (1280, False), (1280, True)]


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_it_loads_nothing_and_says_nothing_on_the_console(
    browser: Browser, page_file: Path, width: int, dark: bool
) -> None:
    page = browser.open(page_file, width=width, dark=dark)
    assert page.messages == []
    loaded = [url for url in page.requests if not url.startswith("data:")]
    assert loaded == [page_file.as_uri()]
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 50, "the policy allows its own style sheet"


def test_names_are_text_whatever_they_are(browser: Browser, page_file: Path) -> None:
    page = browser.open(page_file)
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object, embed, form, base').length") == 0
    assert page.evaluate("document.querySelectorAll('style').length") == 1
    assert page.evaluate("[...document.querySelectorAll('*')].filter(e => e.onerror || e.onload).length") == 0
    text = page.evaluate("document.body.textContent")
    for name in (SCRIPT, IMAGE, STYLE, LONG):
        assert f"{name}/damaged" in text
        assert name in page.evaluate("[...document.querySelectorAll('#where ~ table .name')].map(e => e.textContent)")


def test_the_policy_forbids_what_would_be_loaded_or_run(browser: Browser, page_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        page = browser.open(page_file)
        violations = page.evaluate(
            """new Promise(done => {
                const found = [];
                document.addEventListener('securitypolicyviolation', event => {
                    found.push(event.effectiveDirective);
                    if (found.length === 5) done(found);
                });
                const add = (name, properties, text) =>
                    document.body.append(Object.assign(document.createElement(name), properties, {textContent: text}));
                add('script', {}, 'window.ran = true');
                add('script', {src: 'http://127.0.0.1:PORT/x.js'}, '');
                add('img', {src: 'http://127.0.0.1:PORT/x.png'}, '');
                add('style', {}, 'body { display: none }');
                fetch('http://127.0.0.1:PORT/x').catch(() => {});
            })""".replace("PORT", str(server.getsockname()[1]))
        )
        directives = ["connect-src", "img-src", "script-src-elem", "script-src-elem", "style-src-elem"]
        assert sorted(violations) == directives
        assert page.evaluate("window.ran") is None
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("width", [320, 360, 412, 599, 601, 768, 1280, 2560])
def test_nothing_is_wider_than_the_screen(browser: Browser, page_file: Path, width: int) -> None:
    page = browser.open(page_file, width=width)
    assert page.evaluate("innerWidth") == width, "a phone zooms out where a page is too wide"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """[...document.querySelectorAll('body *')]
            .filter(element => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 0.5)
            .map(element => element.outerHTML.slice(0, 100))"""
    )
    assert beyond == []


AREAS = """(() => {
    const svg = [...document.querySelectorAll('.treemap')].find(svg => svg.checkVisibility());
    const {width, height} = svg.viewBox.baseVal;
    const areas = [...svg.querySelectorAll('g')].map(group => {
        const box = group.querySelector('rect').getBBox();
        const texts = [...group.querySelectorAll('text')].map(text => {
            const {x, y, width, height} = text.getBBox();
            return {text: text.textContent, x, y, width, height};
        });
        return {title: group.querySelector('title').textContent, texts,
                x: box.x, y: box.y, width: box.width, height: box.height};
    });
    return {shown: document.querySelectorAll('.treemap').length, width, height, areas,
            count: [...document.querySelectorAll('.treemap')].filter(svg => svg.checkVisibility()).length};
})()"""


def leaves(space: report.Space) -> Iterator[report.Space]:
    if space.children:
        for child in space.children:
            yield from leaves(child)
    else:
        yield space


@pytest.mark.parametrize("width", [360, 1280])
def test_the_treemap_fills_its_area_with_all_repositories(
    browser: Browser, page_file: Path, made: report.Report, width: int
) -> None:
    drawn: dict[str, Any] = browser.open(page_file, width=width).evaluate(AREAS)
    assert drawn["count"] == 1, "one for each kind of screen, and never both"
    areas = drawn["areas"]
    whole = drawn["width"] * drawn["height"]
    assert math.isclose(sum(area["width"] * area["height"] for area in areas), whole, rel_tol=0.002)
    for index, area in enumerate(areas):
        assert area["x"] >= 0
        assert area["y"] >= 0
        assert area["x"] + area["width"] <= drawn["width"] + 0.05
        assert area["y"] + area["height"] <= drawn["height"] + 0.05
        for other in areas[:index]:
            x = min(area["x"] + area["width"], other["x"] + other["width"]) - max(area["x"], other["x"])
            y = min(area["y"] + area["height"], other["y"] + other["height"]) - max(area["y"], other["y"])
            assert x < 0.05 or y < 0.05, (area["title"], other["title"])
        for text in area["texts"]:
            assert text["x"] >= area["x"]
            assert text["x"] + text["width"] <= area["x"] + area["width"] + 0.5, text
            assert text["y"] + text["height"] <= area["y"] + area["height"] + 0.5, text

    assert made.contents is not None
    total = made.contents.space.bytes
    by_title = {area["title"].rpartition(": ")[0]: area for area in areas}
    assert len(by_title) == len(areas)
    seen = [leaf for leaf in leaves(made.contents.space) if leaf.bytes * whole > 250 * total]
    assert len(seen) > 25
    for leaf in seen:
        area = by_title[leaf.name or "(in no repository)"]
        share = area["width"] * area["height"] / whole
        assert math.isclose(share, leaf.bytes / total, rel_tol=0.02, abs_tol=1e-4), leaf.name
    lines = [[line["text"] for line in area["texts"] if not line["text"].endswith("iB")] for area in areas]
    # The first one of a frame says the beginning that the others leave out.
    assert {"(in no repository)", "platform/app-0", "app-5"} <= {"".join(name) for name in lines}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_all_text_stands_out(browser: Browser, page_file: Path, width: int, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 for text."""
    page = browser.open(page_file, width=width, dark=dark)
    faint = page.evaluate(
        """(() => {
            const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
            const parts = color => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = color;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data];
            };
            const luminance = color => {
                const [r, g, b] = parts(color).slice(0, 3).map(v => v / 255)
                    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = element => {
                if (element instanceof SVGTextElement)
                    return getComputedStyle(element.parentElement.querySelector('rect')).fill;
                for (let at = element; at; at = at.parentElement) {
                    const color = getComputedStyle(at).backgroundColor;
                    if (parts(color)[3] > 0) return color;
                }
                return 'white';
            };
            const found = [];
            for (const element of document.querySelectorAll('body *')) {
                const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
                if (!own || !element.checkVisibility() || element instanceof SVGTitleElement) continue;
                const style = getComputedStyle(element);
                const text = luminance(element instanceof SVGTextElement ? style.fill : style.color);
                const ground = luminance(behind(element));
                const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
                if (contrast < 4.5) found.push([contrast, element.outerHTML.slice(0, 120)]);
            }
            return found;
        })()"""
    )
    assert faint == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 200) == dark


def test_it_can_be_heard(browser: Browser, page_file: Path) -> None:
    page = browser.open(page_file)
    nodes = page.accessible()
    images = [node["name"] for node in nodes if node["role"] in ("image", "img", "graphics-document")]
    assert len(images) == 1, "bars only repeat what stands beside them"
    assert images[0].startswith("Treemap: ")
    headings = [node["name"] for node in nodes if node["role"] == "heading"]
    assert headings[1:] == [
        "Where the bytes are",
        "What goes, and why",
        "How old it is",
        "The largest blobs",
        "In quarantine",
        "What needs attention",
    ]
    tables = [node["name"] for node in nodes if node["role"] == "table"]
    assert len(tables) == 6
    assert all(tables)
    assert {node["role"] for node in nodes} >= {"banner", "main", "contentinfo", "rowheader", "columnheader", "caption"}
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == page.evaluate(
        "document.querySelectorAll('[id]').length"
    )
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => document.querySelector(a.hash))")


def test_what_is_damaged_and_broken_is_named(browser: Browser, page_file: Path, made: report.Report) -> None:
    page = browser.open(page_file, width=360)
    concerns = page.evaluate("[...document.querySelectorAll('.concerns .error')].map(e => e.innerText)")
    assert len(concerns) == 5
    assert sum(concern.startswith("damage: ") for concern in concerns) == 4
    assert any(concern.startswith("broken image: team/broken:2.0: layer sha256:") for concern in concerns)
    assert page.evaluate("document.querySelector('.notice').innerText") == "5 things need attention"


def test_it_prints(browser: Browser, page_file: Path) -> None:
    page = browser.open(page_file, dark=True)
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 2 <= pages <= 8


def test_paper_is_white_and_has_the_wide_drawing(browser: Browser, page_file: Path) -> None:
    page = browser.open(page_file, width=360, dark=True, media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('.on-wide').checkVisibility()")
    assert not page.evaluate("document.querySelector('.on-narrow').checkVisibility()")


def opened(browser: Browser, directory: Path, made: report.Report) -> Page:
    path = directory / "report.html"
    path.write_text(report.to_html(made))
    return browser.open(path, width=360)


def test_a_plan_of_nothing_is_a_page_too(browser: Browser, tmp_path: Path) -> None:
    store = open_store(Store().write(tmp_path / "store"))
    page = opened(browser, tmp_path, report.of_store(store))
    assert page.messages == []
    assert page.evaluate("document.querySelector('.headline').innerText") == "Would free nothing"
    assert page.evaluate("document.querySelectorAll('svg').length") == 0
    assert page.evaluate("document.querySelector('main').innerText").endswith("Nothing.")


def test_a_run_that_failed_is_a_page_too(browser: Browser, tmp_path: Path) -> None:
    failure = report.Failure("repositories/link: a symbolic link <b>", "list", "repositories/link")
    outcome = report.Outcome(1, 1000.0, 1001.0, failure)
    page = opened(browser, tmp_path, report.Report("run", "/data", work=report.Work(), outcome=outcome))
    assert page.messages == []
    assert page.evaluate("document.querySelector('.headline').innerText") == "There is no plan"
    assert "failed: repositories/link: a symbolic link <b>" in page.evaluate("document.body.innerText")


def test_the_json_has_the_same_names(made: report.Report) -> None:
    groups = json.loads(report.to_json(made))["contents"]["by_repository"]["groups"]
    assert SCRIPT in [group["name"] for group in groups]
