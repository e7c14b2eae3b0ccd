// The state of the page. Whoever changes it calls `changed`; what follows is computed and drawn once a frame.

const find = (selector) => document.querySelector(selector);
const state = { surface: null, start: [0, 0], steps: 0, noise: 0, seed: 1, step: 0, chosen: new Map() };
let runs = [];
let pending = 0;
let playing = 0;

const surface = () => SURFACES[state.surface];
const setting = () => ({ surface: surface(), start: state.start, steps: state.steps, noise: state.noise, seed: state.seed });
const map = makeMap(find("#map"));
const charts = [...document.querySelectorAll(".charts figure")].map((figure) => ({
  ...figure.dataset,
  chart: makeChart(figure, figure.dataset.log === "true", (step) => goTo(step)),
}));
const sliders = {
  x: makeSlider("start-x", { label: "Start, x", kind: "plain", by: 0.01 }, 0, (value) => moveStart([value, state.start[1]])),
  y: makeSlider("start-y", { label: "Start, y", kind: "plain", by: 0.01 }, 0, (value) => moveStart([state.start[0], value])),
  steps: makeSlider("steps", { label: "Steps", kind: "plain", lowest: 20, highest: 1000, by: 20 }, 100, (value) => {
    [state.steps, state.step] = [value, value];
    changed();
  }),
  noise: makeSlider("noise", { label: "Noise in gradients", kind: "plain", lowest: 0, highest: 10, by: 0.1 }, 0, (value) => {
    state.noise = value;
    changed();
  }),
};
find("#settings").prepend(...Object.values(sliders).map(({ box }) => box));

function changed() {
  pending ||= requestAnimationFrame(() => {
    pending = 0;
    compute();
    drawStatic();
    drawStep();
  });
}

function compute() {
  runs = [...state.chosen].map(([name, { h, card }]) => {
    const { rule, label, colour, dash } = OPTIMIZERS[name];
    return { name, label, colour, dash, card, path: descend(RULES[rule], h, setting()) };
  });
}

function drawStatic() {
  for (const { chart, what, coordinate } of charts) {
    const values = ({ path }) => (what === "loss" ? path.loss : path[what][coordinate]);
    chart.draw(runs.map((run) => ({ ...run, values: values(run), first: what === "loss" ? 0 : 1 })), state.steps);
  }
  const [x, y] = map.place(surface(), state.start);
  const handle = find("#start");
  [handle.style.left, handle.style.top] = [`${100 * x}%`, `${100 * y}%`];
  handle.setAttribute("aria-label", `Start at x ${short(state.start[0])}, y ${short(state.start[1])}`);
  ["x", "y"].forEach((axis, i) => sliders[axis].set(state.start[i]));
}

// What depends on the step that is looked at.
function drawStep() {
  map.draw(surface(), runs, state.step);
  charts.forEach(({ chart }) => chart.point(state.step));
  runs.forEach(({ card, path }) => card.tell(path, state.step));
  const slider = find("#step");
  [slider.max, slider.value] = [state.steps, state.step];
  fill(slider);
  find("#step-shown").textContent = `${state.step} / ${state.steps}`;
  find("#readout tbody").replaceChildren(...tableRows(runs, state.step));
}

function goTo(step) {
  stop();
  state.step = step;
  drawStep();
}

function moveStart([x, y]) {
  const [left, right, bottom, top] = surface().domain;
  state.start = [Math.min(right, Math.max(left, x)), Math.min(top, Math.max(bottom, y))];
  changed();
}

function chooseSurface(name) {
  const { domain, start, steps, noise, about } = SURFACES[name];
  Object.assign(state, { surface: name, start: [...start], steps, noise, step: steps });
  ["x", "y"].forEach((axis, i) => Object.assign(sliders[axis].input, { min: domain[2 * i], max: domain[2 * i + 1] }));
  sliders.steps.set(steps);
  sliders.noise.set(noise);
  find("#about").textContent = about;
  map.fit(surface());
  tune();
}

// Gives every optimizer the best learning rate for this surface, start and noise.
function tune(names = [...state.chosen.keys()]) {
  for (const name of names) {
    const { h, card } = state.chosen.get(name);
    h.lr = rate(bestRate(RULES[OPTIMIZERS[name].rule], h, setting(), [SLIDERS.lr.lowest, SLIDERS.lr.highest]));
    card.setRate(h.lr);
  }
  changed();
}

function choose(name, wanted) {
  if (!wanted) {
    state.chosen.get(name).card.box.remove();
    state.chosen.delete(name);
    return changed();
  }
  const h = { ...OPTIMIZERS[name].hyper };
  state.chosen.set(name, { h, card: makeCard(name, h, changed) });
  const order = Object.keys(OPTIMIZERS).filter((each) => state.chosen.has(each));
  state.chosen = new Map(order.map((each) => [each, state.chosen.get(each)]));
  find("#cards").replaceChildren(...[...state.chosen.values()].map(({ card }) => card.box));
  tune([name]);
}

function stop() {
  cancelAnimationFrame(playing);
  playing = 0;
  find("#play").textContent = "Play";
}

function play() {
  if (playing) return stop();
  const from = state.step >= state.steps ? 0 : state.step;
  let began = null;
  const seconds = 6; // for all steps, however many
  const turn = (now) => {
    began ??= now;
    state.step = Math.min(state.steps, from + Math.floor(((now - began) / 1000 / seconds) * state.steps));
    drawStep();
    if (state.step >= state.steps) stop();
    else playing = requestAnimationFrame(turn);
  };
  find("#play").textContent = "Pause";
  state.step = from;
  playing = requestAnimationFrame(turn);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

function onHandleKey(event) {
  const way = ARROWS[event.key];
  if (!way) return;
  event.preventDefault();
  const [left, right] = surface().domain;
  const far = ((right - left) / 200) * (event.shiftKey ? 10 : 1);
  moveStart(state.start.map((value, i) => value + far * way[i]));
}

function onDrag(event) {
  const box = find("#map").getBoundingClientRect();
  moveStart(map.point(surface(), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
}

const handle = find("#start");
handle.addEventListener("keydown", onHandleKey);
handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
handle.addEventListener("pointermove", (event) => handle.hasPointerCapture(event.pointerId) && onDrag(event));
find("#map").addEventListener("click", (event) => event.target !== handle && onDrag(event));
find("#play").addEventListener("click", play);
find("#step").addEventListener("input", (event) => goTo(Number(event.target.value)));
find("#tune").addEventListener("click", () => tune());
find("#other-noise").addEventListener("click", () => {
  state.seed += 1;
  changed();
});
for (const input of document.querySelectorAll("#surfaces input")) {
  input.addEventListener("change", () => chooseSurface(input.value));
}
for (const input of document.querySelectorAll("#optimizers input")) {
  input.addEventListener("change", () => choose(input.value, input.checked));
}

chooseSurface(find("#surfaces input:checked").value);
document.querySelectorAll("#optimizers input:checked").forEach((input) => choose(input.value, true));
const again = () => {
  map.fit(surface());
  changed();
};
new ResizeObserver(again).observe(find("#map"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
