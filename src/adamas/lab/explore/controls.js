// Chips, cards and sliders. A slider moves over positions; `valueAt` and `positionOf` say what numbers they are.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// `rate`: an entry of the 24 a decade. `decay`: 1 - 10^-position, so that a position more is ten times the memory.
// `power`: 10^position. `plain`: itself.
function valueAt({ kind }, position) {
  if (kind === "rate") return rate(position);
  if (kind === "decay") return 1 - 10 ** -position;
  return kind === "power" ? Number(`1e${position}`) : position;
}

function positionOf({ kind }, value) {
  if (kind === "rate") return Math.round(24 * Math.log10(value) + 0.2);
  if (kind === "decay") return -Math.log10(1 - value);
  return kind === "power" ? Math.log10(value) : value;
}

function spoken(slider, value) {
  if (slider.kind === "decay") return value < 0.99 ? value.toFixed(2) : value.toFixed(4).replace(/0$/, "");
  return short(value);
}

// Colours a slider's track up to its thumb.
function fill(input) {
  const share = (input.value - input.min) / (input.max - input.min);
  input.style.setProperty("--at", `${100 * share}%`);
}

// A labelled slider; `set` moves it without telling anybody.
function makeSlider(id, slider, value, onInput) {
  const output = element("output", { for: id });
  const input = element("input", { id, type: "range", min: slider.lowest, max: slider.highest, step: slider.by });
  const show = (now) => {
    output.textContent = spoken(slider, now);
    input.setAttribute("aria-valuetext", spoken(slider, now));
    fill(input);
  };
  const set = (now) => {
    input.value = positionOf(slider, now);
    show(now);
  };
  input.addEventListener("input", () => {
    const now = valueAt(slider, Number(input.value));
    show(now);
    onInput(now);
  });
  set(value);
  const box = element("div", { class: "slider" }, element("label", { for: id }, slider.label), output, input);
  return { box, set, input };
}

// The card of an optimizer: its learning rate, and folded away all else that it has.
function makeCard(name, h, onChange) {
  const { label, colour, formula, sliders } = OPTIMIZERS[name];
  const made = Object.fromEntries(sliders.map((key) => [
    key,
    makeSlider(`${name}-${key}`, SLIDERS[key], h[key], (value) => {
      h[key] = value;
      onChange();
    }),
  ]));
  const facts = element("span", { class: "facts" });
  const more = sliders.filter((key) => key !== "lr").map((key) => made[key].box);
  const box = element(
    "section",
    { class: "card", "aria-label": label, style: `--colour: ${colour}`, "data-optimizer": name },
    element("header", {}, element("h3", {}, element("span", { class: "dot" }), label), facts),
    made.lr.box,
    element("details", {}, element("summary", {}, more.length ? "More, and its rule" : "Its rule"), ...more, element("p", { class: "formula" }, formula)),
  );
  const tell = (path, step) => {
    const loss = path.loss[Math.min(step, path.loss.length - 1)];
    const lost = path.lost !== null && path.lost <= step;
    facts.classList.toggle("lost", lost);
    facts.textContent = lost ? `diverges at step ${path.lost}` : `loss ${short(loss)}`;
  };
  return { box, tell, setRate: made.lr.set };
}

// The rows of the table under the map.
function tableRows(runs, step) {
  return runs.map(({ label, colour, path }) => {
    const [x, y] = path.points[Math.min(step, path.points.length - 1)];
    const reached = arrival(path);
    const name = element("th", { scope: "row" }, element("span", { class: "dot", style: `--colour: ${colour}` }), label);
    const loss = path.loss[Math.min(step, path.loss.length - 1)];
    const places = [x, y].map((value) => element("td", { class: "place" }, short(value)));
    const arrived = element("td", {}, reached === null ? "never" : String(reached));
    return element("tr", {}, name, element("td", {}, short(loss)), ...places, arrived);
  });
}
