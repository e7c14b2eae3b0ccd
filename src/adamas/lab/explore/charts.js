// Line charts over steps, as SVG: they take their colours from the style sheet.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };

function shape(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const short = (value) => {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 1e-30) return "0";
  if (size < 0.001 || size >= 10000) return value.toExponential(1).replace("e+", "e").replace(".0e", "e");
  return String(Number(value.toPrecision(3)));
};

// The range of what is shown, without the outermost hundredth of its values; on a log scale at most 12 decades.
function extent(series, log) {
  const values = series.flatMap((each) => each.values).filter((value) => Number.isFinite(value) && (!log || value > 0));
  if (values.length === 0) return log ? [0.1, 1] : [-1, 1];
  values.sort((a, b) => a - b);
  let [low, high] = [values[Math.floor(0.01 * values.length)], values[Math.ceil(0.99 * (values.length - 1))]];
  if (log) {
    low = Math.max(low, high * 1e-12);
    return high / low < 10 ? [low / 3, high * 3] : [low / 1.3, high * 1.3];
  }
  const room = 0.08 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function ticks([low, high], log) {
  if (log) {
    const [first, last] = [Math.floor(Math.log10(low)), Math.floor(Math.log10(high))];
    const every = Math.ceil((last - first) / 4);
    const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i).filter((power) => power % Math.max(1, every) === 0);
    const fine = high / low < 10 ? [1, 2, 5] : high / low < 100 ? [1, 3] : [1];
    const marks = powers.flatMap((power) => fine.map((times) => times * 10 ** power));
    return marks.filter((value) => value >= low && value <= high);
  }
  const rough = (high - low) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const every = unit * [1, 2, 5, 10].find((times) => times * unit >= rough);
  return Array.from({ length: 8 }, (_, i) => (Math.ceil(low / every) + i) * every).filter((value) => value <= high);
}

// A chart in a figure. `draw` takes series of {values, first, colour, dash}: values[0] is that of step `first`.
function makeChart(figure, log, onStep) {
  const svg = shape(figure, "svg", { role: "img" });
  svg.setAttribute("aria-label", figure.querySelector("figcaption").textContent);
  let across = null;
  let cursor = null;
  let last = 1;

  function draw(series, steps) {
    const [width, height] = [svg.clientWidth || 300, svg.clientHeight || 150];
    const range = extent(series, log);
    const scale = log ? Math.log : (value) => value;
    const [low, high] = range.map(scale);
    const up = (value) => MARGIN.top + (1 - (scale(value) - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    across = (step) => MARGIN.left + (step / steps) * (width - MARGIN.left - MARGIN.right);
    last = steps;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    for (const value of ticks(range, log)) {
      shape(svg, "line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: up(value), y2: up(value) });
      shape(svg, "text", { x: MARGIN.left - 6, y: up(value) + 4, "text-anchor": "end" }, short(value));
    }
    for (const step of [0, steps / 2, steps]) {
      const anchor = step === steps ? "end" : step === 0 ? "start" : "middle";
      shape(svg, "text", { x: across(step), y: height - 5, "text-anchor": anchor }, short(Math.round(step)));
    }
    cursor = shape(svg, "line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom });
    const inside = (value) => Math.min(height - MARGIN.bottom + 1, Math.max(MARGIN.top - 1, up(value)));
    for (const { values, first, colour, dash } of series) {
      const drawn = values.map((value, at) => (Number.isFinite(value) && (!log || value > 0) ? `${across(first + at).toFixed(1)} ${inside(value).toFixed(1)}` : null));
      const d = drawn.map((at, i) => (at === null ? "" : `${i > 0 && drawn[i - 1] !== null ? "L" : "M"}${at}`)).join("");
      shape(svg, "path", { d, stroke: colour, "stroke-dasharray": dash });
    }
  }

  function point(step) {
    if (!cursor) return;
    cursor.setAttribute("x1", across(step));
    cursor.setAttribute("x2", across(step));
  }

  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    onStep(Math.round(Math.min(1, Math.max(0, share)) * last));
  };
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointermove", (event) => event.buttons && follow(event));
  return { draw, point };
}
