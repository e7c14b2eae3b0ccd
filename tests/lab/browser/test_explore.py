"""The explore page as a reader has it: by mouse, by keyboard, on a telephone, in the dark."""

import pytest
from typer.testing import CliRunner

from adamas.lab.cli import app

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "[...state.chosen.keys()]"


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "explore.html"
    result = CliRunner().invoke(app, ["explore", "--out", str(path)])
    assert result.exit_code == 0
    assert str(path) in result.output.replace("\n", "")
    return path


def settle(page):
    """Waits until what was asked for is computed and drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def loss(page, name):
    settle(page)
    return page.evaluate(f"runs.find(run => run.name === '{name}').path.loss")


def choose(page, surface):
    page.locator("#surfaces label", has_text=surface).click()
    settle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_quiet_and_offline(opened, explorer, scheme):
    watched = opened(explorer, color_scheme=scheme)
    page = watched.page
    for key in page.evaluate("Object.keys(SURFACES)"):
        choose(page, page.evaluate(f"SURFACES.{key}.label"))
        assert page.evaluate("runs.every(({ path }) => path.lost === null)")
        assert page.evaluate("document.querySelectorAll('.charts path').length") == 4 * 7
    for box in page.locator("#optimizers label").all():
        box.click()
    settle(page)
    assert watched.errors == []
    assert watched.requests == [explorer.as_uri()]
    light = page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").removesuffix(")")
    assert (sum(map(int, light.split(","))) > 384) == (scheme == "light")


def test_unwritable_places_are_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["explore", "--out", str(tmp_path / "file" / "x.html")])
    assert result.exit_code == 1
    assert "--out" in result.stderr


def test_the_contours_are_of_the_surface(opened, explorer):
    page = opened(explorer).page
    settle(page)
    colour = """([x, y]) => {
      const canvas = document.querySelector("#map canvas"), [a, b] = map.place(surface(), [x, y]);
      const near = canvas.getContext("2d").getImageData(a * canvas.width - 3, b * canvas.height - 3, 7, 7);
      return [...near.data].filter((_, i) => i % 4 === 2);
    }"""
    deep, high = (sum(page.evaluate(colour, place)) for place in ([0.0, 0.0], [3.9, 2.9]))
    warm = page.evaluate("channels(css('--deep'))[2] < channels(css('--high'))[2]")
    assert (deep < high) == warm
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert sum(page.evaluate(colour, [3.9, 2.9])) < 0.3 * high


def test_a_surface_brings_its_start_and_best_rates(opened, explorer):
    page = opened(explorer).page
    settle(page)
    before = page.evaluate("state.chosen.get('sgd').h.lr")
    page.locator("#surfaces input").first.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.evaluate("state.surface") == "rosenbrock"
    assert page.evaluate("state.start") == page.evaluate("SURFACES.rosenbrock.start")
    assert "valley" in page.locator("#about").inner_text()
    after = page.evaluate("state.chosen.get('sgd').h.lr")
    assert after < before / 10
    assert page.locator("[data-optimizer=sgd] output").first.inner_text() == str(after)


def test_optimizers_come_and_go(opened, explorer):
    page = opened(explorer).page
    assert page.evaluate(SHOWN) == ["sgd", "momentum", "rmsprop", "adam"]
    page.locator("#optimizers label", has_text="Lion").click()
    page.locator("#optimizers input[value=sgd]").focus()
    page.keyboard.press("Space")
    settle(page)
    assert page.evaluate(SHOWN) == ["momentum", "rmsprop", "adam", "lion"]
    assert [each.inner_text() for each in page.locator(".card h3").all()] == [
        "Momentum", "RMSProp", "Adam", "Lion", "Start and run",
    ]  # fmt: skip
    assert page.locator("#readout tbody tr").count() == 4


def test_a_slider_changes_one_optimizer(opened, explorer):
    page = opened(explorer).page
    sgd, adam = loss(page, "sgd"), loss(page, "adam")
    slider = page.locator("#sgd-lr")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert loss(page, "sgd") != sgd
    assert loss(page, "adam") == adam
    assert slider.get_attribute("aria-valuetext") == str(page.evaluate("state.chosen.get('sgd').h.lr"))
    page.keyboard.press("End")  # a rate of 10 is too much
    settle(page)
    assert "diverges at step" in page.locator("[data-optimizer=sgd] .facts").inner_text()
    page.locator("#tune").click()
    assert loss(page, "sgd") == sgd


def test_other_hyper_parameters_are_under_more(opened, explorer):
    page = opened(explorer).page
    before = loss(page, "adam")
    card = page.locator("[data-optimizer=adam]")
    card.locator("summary").click()
    assert "beta1" in card.locator(".formula").inner_text()
    card.locator("#adam-beta1").focus()
    page.keyboard.press("Home")  # no first moment at all
    assert loss(page, "adam") != before
    assert page.evaluate("state.chosen.get('adam').h.beta1") == 0


def test_the_start_is_dragged(opened, explorer):
    page = opened(explorer).page
    settle(page)
    box = page.locator("#start").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 60, steps=4)
    page.mouse.up()
    settle(page)
    frame = page.locator("#map").bounding_box()
    start = page.evaluate("state.start")
    assert start[0] == pytest.approx(-3.2 + 100 * 8 / frame["width"], abs=0.03)
    assert start[1] == pytest.approx(2.2 - 60 * 6 / frame["height"], abs=0.03)
    assert page.evaluate("runs.every(({ path }) => path.points[0].join() === state.start.join())")
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 4)
    assert page.evaluate("state.start") == pytest.approx([0, 1.5], abs=0.03)


def test_the_start_moves_by_arrow_keys_and_stays_on_the_map(opened, explorer):
    page = opened(explorer).page
    handle = page.locator("#start")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    settle(page)
    assert page.evaluate("state.start") == pytest.approx([-3.16, 1.8])
    assert handle.get_attribute("aria-label") == "Start at x -3.16, y 1.8"
    assert page.locator("#start-y").get_attribute("aria-valuetext") == "1.8"
    for _ in range(6):
        page.keyboard.press("Shift+ArrowLeft")
    settle(page)
    assert page.evaluate("state.start[0]") == -4
    assert page.evaluate("scrollY") == 0


def test_it_plays_and_is_scrubbed(opened, explorer):
    page = opened(explorer).page
    settle(page)
    page.locator("#play").click()
    page.wait_for_timeout(300)
    assert page.locator("#play").inner_text() == "Pause"
    assert 0 <= page.evaluate("state.step") < 120
    page.locator("#play").click()
    at = page.evaluate("state.step")
    page.wait_for_timeout(100)
    assert page.evaluate("state.step") == at
    page.locator("#step").focus()
    page.keyboard.press("Home")
    assert page.locator("#step-shown").inner_text() == "0 / 120"
    assert page.locator("#readout tbody td.place").first.inner_text() == "-3.2"
    page.locator(".charts svg").first.scroll_into_view_if_needed()
    box = page.locator(".charts svg").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 10, box["y"] + 60)
    assert page.evaluate("state.step") == 120


def test_noise_is_the_same_for_all_and_can_be_other(opened, explorer):
    page = opened(explorer).page
    before = loss(page, "sgd")
    page.locator("#other-noise").click()
    assert loss(page, "sgd") == before  # this surface has none
    choose(page, "Noisy ravine")
    noisy = loss(page, "sgd")
    page.locator("#other-noise").click()
    assert loss(page, "sgd") != noisy
    assert (
        page.evaluate("new Set(runs.map(({ path }) => path.mean[0][0] * 1e3 | 0)).size") < 3
    )  # of SGD, and b1 of others


def test_every_control_is_reached_in_order_and_has_a_name(opened, explorer):
    page = opened(explorer).page
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.id || document.activeElement.value || document.activeElement.tagName")
        )
        if seen[-1] == "other-noise":
            break
    order = ["start", "play", "step", "sgd", "tune", "sgd-lr", "start-x", "noise", "other-noise"]
    assert [each for each in seen if each in order] == order
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input")].filter((each) =>
             !(each.ariaLabel || each.labels?.[0]?.textContent.trim() || each.textContent.trim())).length"""
    )
    assert nameless == 0


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window_or_too_small(opened, explorer, width):
    page = opened(explorer, width=width).page
    settle(page)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert page.evaluate(OVERFLOW) == 0
    written = "[...document.querySelectorAll('p, li, td, label, svg text')]"
    assert min(page.evaluate(f"{written}.map(each => parseFloat(getComputedStyle(each).fontSize))")) >= 12
    map_width = page.locator("#map").bounding_box()["width"]
    assert map_width > (350 if width == 400 else 700)
    canvas = page.locator("#map canvas").first.evaluate("canvas => [canvas.width, canvas.clientWidth]")
    assert abs(canvas[0] - canvas[1]) <= 1
