"""The numbers of the explore page are the library's: rules printed as JavaScript, run in a browser, in float64."""

import math

import pytest
import torch

import adamas
from adamas.lab import optimizers
from adamas.lab.explore.page import SLIDERS, build
from adamas.rules import COMPILED
from adamas.rules.cpp import example
from adamas.rules.javascript import WORDS, print_rule

ULP = 2.0**-53
STEPS = 60

RUN = (
    "([h, x, gradients]) => {"
    + WORDS
    + """
    const rule = RULE, slots = x.map(() => rule.start(h));
    let counters = rule.start(h);
    const ways = gradients.map((g, at) => {
      counters = { ...counters, ...rule.advance(h, at + 1, counters) };
      const c = rule.scalars(h, at + 1, counters);
      counters.first = 0;
      x = x.map((value, i) => rule.update(value, g[i], c, slots[i]));
      return x;
    });
    return [ways, slots];
}"""
)

# The surfaces again, in torch, which differentiates them.
SURFACES = {
    "bowl": lambda x, y: (x**2 + 8 * y**2) / 2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "beale": lambda x, y: sum((a - x * (1 - y**k)) ** 2 for k, a in ((1, 1.5), (2, 2.25), (3, 2.625))),
    "saddle": lambda x, y: x**2 / 2 + (y**2 - 1) ** 2 / 4,
    "ravine": lambda x, y: (
        ((math.cos(math.pi / 6) * x + 0.5 * y) ** 2 + 40 * (math.cos(math.pi / 6) * y - 0.5 * x) ** 2) / 2
    ),
    "sparse": lambda x, y: (3 * (x - 1) ** 2 + (y - 1) ** 2) / 2,
}


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "explore.html"
    path.write_text(build(), "utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    yield page
    page.close()


def scalar_error(rule, h):
    """How far scalars may be off, relatively: the two worlds' powers differ by an ulp, which 1 - beta^t enlarges."""
    beta2 = h.beta2 if "betas" in rule.defaults else 0.0
    error = 8 * ULP / (1 - beta2)
    # RAdam's rho is a difference of two numbers near 2 / (1 - beta2).
    return error * 2 / (1 - beta2) if rule is adamas.rules.RAdam else error


@pytest.mark.parametrize("rule", [rule for rule in COMPILED if not rule.cautious], ids=lambda rule: rule.__name__)
def test_printed_rules_equal_the_reference_engine(page, rule):
    torch.manual_seed(0)
    gradients = torch.randn(STEPS, 3, dtype=torch.float64) * torch.tensor([1e-3, 1.0, 1e3])
    gradients[::7, 1] = 0.0
    p = torch.nn.Parameter(torch.tensor([0.1, -2.0, 3.0], dtype=torch.float64))
    optimizer = adamas.Optimizer([p], rule, engine="reference", lr=0.1)
    ways, slots = page.evaluate(
        RUN.replace("RULE", print_rule(rule)), [{**vars(example(rule)), "lr": 0.1}, p.tolist(), gradients.tolist()]
    )
    error = scalar_error(rule, example(rule))
    moved = torch.zeros(3, dtype=torch.float64)
    for t, way in enumerate(ways):
        before = p.detach().clone()
        p.grad = gradients[t].clone()
        optimizer.step()
        moved += (p.detach() - before).abs() * error + p.detach().abs() * 2 * ULP
        assert ((p.detach() - torch.tensor(way, dtype=torch.float64)).abs() <= moved).all(), f"step {t + 1}"
    for slot in rule.slots:  # no power is in them: the same bits
        assert optimizer.state[p][slot.name].tolist() == [each[slot.name] for each in slots]


def test_words_on_hard_values(page):
    words = """[maximum(NaN, 0), maximum(0, NaN), maximum(-1, 2), sign(NaN), sign(-3), sign(0), lerp(1e8, 1e-8, 1),
        lerp(1, 3, 0.25), absolute(-2)].map(String)"""
    assert page.evaluate(words) == ["NaN", "NaN", "2", "0", "-1", "0", "1e-8", "1.5", "2"]


@pytest.mark.parametrize("name", SURFACES)
def test_gradients_are_those_of_the_loss(page, name):
    left, right, bottom, top = page.evaluate(f"SURFACES.{name}.domain")
    assert (right - left) / (top - bottom) == pytest.approx(4 / 3)
    grid = torch.cartesian_prod(torch.linspace(left, right, 9), torch.linspace(bottom, top, 7)).double().tolist()
    told = page.evaluate(f"grid => grid.map(([x, y]) => SURFACES.{name}.gradient(x, y))", grid)
    x, y = (torch.tensor(column, dtype=torch.float64, requires_grad=True) for column in zip(*grid, strict=True))
    exact = torch.stack(torch.autograd.grad(SURFACES[name](x, y).sum(), (x, y)), 1)
    torch.testing.assert_close(torch.tensor(told, dtype=torch.float64), exact)
    if name != "sparse":  # its loss is the mean over steps, of which a tenth shows y
        values = page.evaluate(f"grid => grid.map(([x, y]) => SURFACES.{name}.value(x, y))", grid)
        torch.testing.assert_close(torch.tensor(values, dtype=torch.float64), SURFACES[name](x, y).detach())
    least = page.evaluate(f"SURFACES.{name}.minima.map(([x, y]) => SURFACES.{name}.value(x, y))")
    assert max(map(abs, least)) < 1e-12


@pytest.mark.parametrize("name", optimizers.CATALOGUE)
def test_trajectories_are_those_of_the_optimizers(page, name):
    changed = {"lr": 0.01, **({"dampening": 0.3} if name == "momentum" else {})}
    setting = f"{{ surface: SURFACES.sparse, start: [-1, 0.5], steps: {STEPS}, noise: 0.5, seed: 3 }}"
    h = f"{{ ...OPTIMIZERS.{name}.hyper, ...changed }}"
    path = page.evaluate(f"changed => descend(RULES[OPTIMIZERS.{name}.rule], {h}, {setting})", changed)
    noise = page.evaluate(
        f"(() => {{ const normal = normals(3); return Array.from({{ length: {2 * STEPS} }}, normal); }})()"
    )
    noise = torch.tensor(noise, dtype=torch.float64).view(STEPS, 2)
    p = torch.nn.Parameter(torch.tensor([-1.0, 0.5], dtype=torch.float64))
    entry = optimizers.entry(name)
    optimizer = entry.factory([p], **{**entry.settings, **changed, "engine": "reference"})
    for t in range(STEPS):
        at = p.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(SURFACES["sparse"](*at), at)
        p.grad = (gradient + 0.5 * noise[t]) * torch.tensor([1.0, float((t + 1) % 10 == 0)])
        optimizer.step()
        torch.testing.assert_close(
            p.detach(), torch.tensor(path["points"][t + 1], dtype=torch.float64), rtol=1e-11, atol=1e-13
        )


def test_moments_and_effective_steps(page):
    setting = "{ surface: SURFACES.bowl, start: [1, 1], steps: 50, noise: 0, seed: 1 }"
    run = "([name, h]) => descend(RULES[OPTIMIZERS[name].rule], { ...OPTIMIZERS[name].hyper, ...h }, " + setting + ")"
    sgd = page.evaluate(run, ["sgd", {"lr": 0.1}])
    assert sgd["pace"][0] == pytest.approx([0.1] * 50)
    momentum = page.evaluate(run, ["momentum", {"lr": 0.01, "momentum": 0.9}])
    assert momentum["pace"][1] == pytest.approx([0.1] * 50)  # lr / (1 - momentum)
    adam = page.evaluate(run, ["adam", {"lr": 0.01}])
    assert adam["mean"][1][0] == pytest.approx(8.0)  # without bias, the first mean is the first gradient
    assert adam["size"][1][0] == pytest.approx(8.0)
    assert adam["pace"][1][0] == pytest.approx(0.01 / 8)
    assert len(adam["loss"]) == 51


def test_normal_numbers_are_normal(page):
    draw = "(() => { const normal = normals(5); return Array.from({ length: 20000 }, normal); })()"
    x = torch.tensor(page.evaluate(draw), dtype=torch.float64)
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean().item() - moment) < 5 * math.sqrt(spread / len(x))


def test_the_best_learning_rate(page):
    setting = "{ surface: SURFACES.bowl, start: [-3, 2], steps: 100, noise: 0, seed: 1 }"
    index = page.evaluate(
        f"bestRate(RULES.SGD, {{ lr: 1 }}, {setting}, [{SLIDERS['lr'].lowest}, {SLIDERS['lr'].highest}])"
    )
    assert page.evaluate(f"rate({index})") == 0.22  # of six a decade: the best is 2 / (1 + 8), the limit 2 / 8
    assert [page.evaluate(f"rate({each})") for each in (-96, -1, 0, 1, 24)] == [1e-4, 0.91, 1.0, 1.1, 10.0]


def test_sliders_hold_every_default(page):
    wrong = page.evaluate(
        """Object.values(OPTIMIZERS).flatMap(({ hyper, sliders }) => sliders.filter((key) => {
             const slider = SLIDERS[key], position = positionOf(slider, hyper[key]);
             const inside = slider.lowest <= position && position <= slider.highest;
             return key !== "lr" && !(inside && Math.abs(valueAt(slider, position) - hyper[key]) < 1e-12);
           }))"""
    )
    assert wrong == []
