"""The page in a real browser: loads without errors or network, and its controls work."""

import pytest

from circuitvar.reports.page.render import report_page
from tests.reports.toy_audit import GPT2_SMALL, toy_audit
from tests.reports.toy_browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; install the Debian package `chromium`"
)

READY = "document.documentElement?.dataset.ready === 'yes'"
FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(toy_audit(GPT2_SMALL, k=500), figures=[]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(page):
    with Browser() as tab:
        tab.open(page, ready=READY)
        yield tab
        assert tab.errors == []


def set_value(tab, element, value, event="input"):
    tab.run(
        f"(() => {{ const it = document.getElementById('{element}'); it.value = {value!r};"
        f"it.dispatchEvent(new Event('{event}', {{bubbles: true}})); }})()"
    )
    tab.run(FRAME)


def text_of(tab, element):
    return tab.run(f"document.getElementById('{element}').textContent")


def first_rows(tab, n=3):
    return tab.run(
        f"[...document.querySelectorAll('#table tr[data-edge]')].slice(0, {n})"
        ".map(row => row.cells[0].textContent)"
    )


def test_loads_alone_and_without_errors(browser, page):
    assert browser.errors == []
    assert set(browser.requests) <= {page.resolve().as_uri()}


def test_only_the_rows_in_view_exist(browser):
    assert 0 < browser.run("document.querySelectorAll('#table tr[data-edge]').length") < 100
    height = browser.run("document.getElementById('table').offsetHeight")
    assert height > 32_491 * 28


def test_slider_thresholds_the_drawing(browser):
    edges = toy_audit(GPT2_SMALL, k=500).edges
    for share in (50, 100):
        set_value(browser, "threshold", share)
        kept = int((edges["inclusion_halves-template"] >= share / 100).sum())
        assert text_of(browser, "shown").startswith(f"{kept:,} of 32,491 edges")
    set_value(browser, "find", "a3.h4->m3")
    assert "match" in text_of(browser, "shown")
    set_value(browser, "find", "")


def test_table_filters_and_sorts(browser):
    edges = toy_audit(GPT2_SMALL, k=500).edges
    set_value(browser, "filter", "A11.h0 M3->")
    wanted = edges["edge"].str.contains("a11.h0", regex=False) & edges["edge"].str.contains("m3->")
    assert text_of(browser, "count").startswith(f"{int(wanted.sum())} of")
    set_value(browser, "filter", "")
    browser.run(
        "[...document.querySelectorAll('#table thead button')]"
        ".find(button => button.textContent.startsWith('Score')).click()"
    )
    expected = edges.sort_values("score", ascending=False)["edge"].head(3).tolist()
    assert first_rows(browser) == expected
    browser.run("document.querySelector('#table [aria-sort=descending] button').click()")
    assert first_rows(browser) == edges.sort_values("score")["edge"].head(3).tolist()


def test_scrolling_to_the_end_shows_the_last_rows(browser):
    browser.run(
        "(() => { const rows = document.getElementById('rows');"
        "rows.scrollTop = rows.scrollHeight; })()"
    )
    browser.run(FRAME)
    shown = browser.run(
        "[...document.querySelectorAll('#table tr[data-edge]')].pop().ariaRowIndex"
        " || [...document.querySelectorAll('#table tr[data-edge]')].pop()"
        ".getAttribute('aria-rowindex')"
    )
    assert int(shown) == 32_492


def test_keyboard_steps_through_edges(browser):
    press = (
        "document.getElementById('canvas').dispatchEvent("
        "new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
    )
    set_value(browser, "threshold", 90)
    browser.run(press.format("ArrowRight"))
    first = text_of(browser, "picked")
    browser.run(press.format("ArrowRight"))
    second = text_of(browser, "picked")
    assert "->" in first and "->" in second and first != second
    browser.run(press.format("ArrowLeft"))
    assert text_of(browser, "picked") == first
    browser.run(press.format("Escape"))
    assert text_of(browser, "picked") == ""


def test_theme_button_switches_and_copy_selects(browser):
    before = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("getComputedStyle(document.body).backgroundColor") != before


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A page with its figures."""
    path = tmp_path_factory.mktemp("drawn") / "report.html"
    path.write_text(report_page(toy_audit()), encoding="utf-8")
    with Browser() as tab:
        tab.open(path, ready=READY)
        tab.run("document.documentElement.style.scrollBehavior = 'auto'")
        yield tab
        assert tab.errors == []


def figure_keys(tab):
    return tab.run("Object.keys(JSON.parse(document.getElementById('marks').textContent))")


def step(tab, key, press):
    """One key press in the focused figure."""
    svg = f"document.querySelector('#figure-{key} svg')"
    tab.run(f"{svg}.scrollIntoView({{block: 'center'}})")
    tab.run(FRAME)
    tab.run(f"{svg}.focus({{preventScroll: true}})")
    tab.run(f"{svg}.dispatchEvent(new KeyboardEvent('keydown', {{key: '{press}', bubbles: true}}))")


def point_at(tab, key, x, y):
    """Move the real mouse to a place of a figure, in the units of its SVG."""
    svg = f"document.querySelector('#figure-{key} svg')"
    tab.run(f"{svg}.scrollIntoView({{block: 'center'}})")
    tab.run(FRAME)
    at = tab.run(
        f"(() => {{ const p = new DOMPoint({x}, {y}).matrixTransform({svg}.getScreenCTM());"
        "return [p.x, p.y]; })()"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    tab.run(FRAME)


def test_every_figure_can_be_read_by_keyboard(drawn):
    audit = toy_audit()
    keys = figure_keys(drawn)
    assert len(keys) == 12
    for key in keys:
        step(drawn, key, "ArrowRight")
        first = text_of(drawn, "figure-tip")
        step(drawn, key, "ArrowRight")
        assert first and first != text_of(drawn, "figure-tip"), key
        step(drawn, key, "ArrowLeft")
        assert text_of(drawn, "figure-tip") == first
        assert drawn.run("document.querySelectorAll('.ring').length") == 1
        step(drawn, key, "Escape")
        assert drawn.run("document.getElementById('figure-tip').hidden")
    step(drawn, "exact", "ArrowRight")
    step(drawn, "exact", "Enter")
    largest = audit.edges.loc[audit.edges["exact"].abs().idxmax(), "edge"]
    assert text_of(drawn, "picked").startswith(largest + ":")


def test_pointing_at_a_figure_shows_its_numbers(drawn):
    marks = drawn.run("JSON.parse(document.getElementById('marks').textContent)")
    at = marks["size"]["texts"].index(next(t for t in marks["size"]["texts"] if "k = 40 " in t))
    point_at(drawn, "size", marks["size"]["x"][at] + 1, marks["size"]["y"][at] - 1)
    assert text_of(drawn, "figure-tip") == marks["size"]["texts"][at]
    left, top, wide, high = marks["similarity"]["box"]
    point_at(drawn, "similarity", left + 1.5 * wide / 8, top + 2.5 * high / 8)
    row = marks["similarity"]["values"][2][1]
    assert text_of(drawn, "figure-tip") == f"template 2 and template 1\nJaccard {row}"
    point_at(drawn, "size", 1, 1)
    assert drawn.run("document.getElementById('figure-tip').hidden")


def test_hostile_names_run_nothing(tmp_path):
    from tests.reports.page.test_page import hostile_page

    path = tmp_path / "hostile.html"
    path.write_text(hostile_page(), encoding="utf-8")
    with Browser() as tab:
        tab.open(path, ready=READY)
        set_value(tab, "threshold", 0)
        tab.run("document.querySelector('#table tr[data-edge]').click()")
        for key in figure_keys(tab):
            step(tab, key, "ArrowRight")
            assert text_of(tab, "figure-tip")
        assert "<img src=x" in text_of(tab, "figure-tip") + text_of(tab, "picked")
        assert tab.run("window.owned === undefined")
        assert tab.run("document.querySelectorAll('img, iframe, object, main script').length") == 0
        assert tab.errors == []


def test_on_paper_the_edge_table_has_its_headings(drawn):
    drawn.call("Emulation.setEmulatedMedia", media="print")
    drawn.run("dispatchEvent(new Event('beforeprint'))")
    shown = "getComputedStyle(document.querySelector('#table thead button')).display !== 'none'"
    assert drawn.run(shown)
    assert drawn.run("getComputedStyle(document.getElementById('theme')).display") == "none"
    assert drawn.run("document.querySelectorAll('#table tr[data-edge]').length") == 60
    drawn.run("dispatchEvent(new Event('afterprint'))")
    drawn.call("Emulation.setEmulatedMedia", media="")


def test_a_phone_has_no_sideways_scroll(drawn):
    drawn.call(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=800,
        deviceScaleFactor=1,
        mobile=True,
    )
    drawn.run(FRAME)
    assert drawn.run("document.documentElement.scrollWidth") <= 390
    drawn.call("Emulation.clearDeviceMetricsOverride")
