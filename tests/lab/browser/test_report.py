"""The report as a reader has it: opened in a real browser, by mouse, by keyboard, on a telephone, on paper."""

import math

import pytest

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "[...document.querySelectorAll('.chart')].filter(chart => chart.offsetParent !== null)"
SUMMARY = "section:nth-of-type(2) table.sortable"


def column(page, number):
    keys = page.eval_on_selector_all(
        f"{SUMMARY} >> tbody tr > :nth-child({number})", "cells => cells.map(c => c.dataset.key)"
    )
    return [math.inf if key == "inf" else float(key) for key in keys]


def lines(page, name):
    """How many lines of that name are drawn, in all charts together."""
    drawn = "[...document.querySelectorAll('.chart')].flatMap(chart => chart._fullData ?? [])"
    return page.evaluate(f"{drawn}.filter(trace => trace.name === '{name}' && trace.visible === true).length")


def until(page, condition):
    """Waits for a condition; the page's policy forbids it to evaluate text, which playwright's own waiting does."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


def draw_all(page):
    """Unfolds and draws everything, as a reader does by scrolling and the page itself before it is printed."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(page, f"{SHOWN}.every(chart => chart.querySelector('.main-svg'))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_quiet_and_offline(opened, report, scheme):
    watched = opened(report, color_scheme=scheme)
    page = watched.page
    draw_all(page)
    assert page.evaluate(f"{SHOWN}.length") > 20
    assert watched.errors == []
    assert watched.requests == [report.as_uri()]
    light = page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").removesuffix(")")
    assert (sum(map(int, light.split(","))) > 384) == (scheme == "light")


def test_verdicts_come_first(opened, report):
    page = opened(report).page
    assert page.locator("h2").first.inner_text() == "Verdicts"
    assert page.locator("table").nth(1).locator(".mark").first.inner_text() in ("holds", "does not hold", "undecided")


def test_a_table_sorts_by_click_and_by_keyboard(opened, report):
    page = opened(report).page
    header = page.locator(SUMMARY).locator("thead button", has_text="learning rate")
    place = page.locator(f"{SUMMARY} >> thead th").count()
    header.click()
    assert column(page, place) == sorted(column(page, place))
    assert len(set(column(page, place))) > 1
    page.locator(SUMMARY).locator("thead button", has_text="state").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert column(page, place) == sorted(column(page, place), reverse=True)
    assert header.locator("..").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert column(page, place) == sorted(column(page, place))


def test_the_legend_hides_an_optimizer_everywhere(opened, report):
    page = opened(report).page
    draw_all(page)
    before, others = lines(page, "Adam"), lines(page, "AdamW")
    assert before >= 6  # loss, accuracy, dots and time on two workloads, sweeps and the profile
    button = page.locator(".legend button", has_text="Adam").first
    button.click()
    page.wait_for_timeout(50)
    assert lines(page, "Adam") == 0
    assert lines(page, "AdamW") == others
    assert button.get_attribute("aria-pressed") == "false"
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(50)
    assert lines(page, "Adam") == before


def test_charts_are_drawn_when_they_come_near(opened, report):
    page = opened(report).page
    until(page, "document.querySelector('.chart .main-svg') !== null")
    last = page.locator(".chart").last
    assert last.locator(".main-svg").count() == 0
    page.locator("details:has(.chart)").first.evaluate("details => { details.open = true; }")
    page.locator("details .chart").first.scroll_into_view_if_needed()
    until(page, "document.querySelector('details .chart .main-svg') !== null")


def test_curves_change_between_steps_and_time(opened, report):
    page = opened(report).page
    ends = "Math.max(...document.querySelector('.chart[data-curves=true]')._fullData.flatMap(trace => trace.x))"
    assert page.evaluate(ends) == 30
    page.get_by_role("button", name="by time").click()
    assert 0 < page.evaluate(ends) < 30


def test_images_are_drawn_pixel_by_pixel(opened, report):
    page = opened(report).page
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    drawn = page.eval_on_selector(
        ".strip canvas",
        """canvas => {
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [canvas.width, canvas.height, [...pixels.data]];
        }""",
    )
    width, height, data = drawn
    assert (width, height) == (5, 2)  # two images of 2x2 and a gap
    grey = [data[4 * at : 4 * at + 4] for at in range(width * height)]
    assert [pixel[0] for pixel in grey] == [0, 64, 0, 0, 64, 128, 255, 0, 128, 255]
    assert [pixel[3] for pixel in grey] == [255, 255, 0, 255, 255] * 2


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(opened, report, width):
    page = opened(report, width=width).page
    draw_all(page)
    assert page.evaluate(OVERFLOW) == 0
    if width == 1280:
        cut = "[...document.querySelectorAll('.wide')].filter(table => table.scrollWidth > table.clientWidth).length"
        assert page.evaluate(cut) == 0
    widths = page.evaluate(f"{SHOWN}.map(chart => chart.querySelector('.main-svg').getBoundingClientRect().width)")
    assert all(200 < each <= width for each in widths)
    sizes = "[...document.querySelectorAll('td, p, li')].map(element => parseFloat(getComputedStyle(element).fontSize))"
    assert min(page.evaluate(sizes)) >= 12


def test_on_paper_there_are_no_buttons_and_all_charts(opened, report):
    page = opened(report, width=794).page
    page.emulate_media(media="print")
    draw_all(page)
    assert not page.locator(".controls").is_visible()
    assert page.evaluate("document.querySelectorAll('details:not([open]):has(.chart)').length") == 0


def test_hostile_names_are_shown_and_never_run(opened, hostile_report, hostile):
    watched = opened(hostile_report)
    page = watched.page
    draw_all(page)
    page.mouse.move(300, 300)
    assert watched.errors == []
    assert watched.requests == [hostile_report.as_uri()]
    assert page.locator("img").count() == 0
    text = page.evaluate("document.body.textContent")
    for shown in ("figcaption", ".sample", "pre code", "dd", "table code, td"):
        assert hostile in " ".join(page.locator(shown).all_text_contents()), shown
    assert text.count("alert(1)") > 5
