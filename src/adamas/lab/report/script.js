"use strict";

// Sorting: a click on a header, or Enter on it, sorts by it; another one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  const number = (text) => (text === "inf" || text === "nan" ? Infinity : text === "" ? NaN : Number(text));
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const compare = (a, b) => {
      const [left, right] = [a.cells[column].dataset.key, b.cells[column].dataset.key];
      const [x, y] = [number(left), number(right)];
      if (Number.isNaN(x) || Number.isNaN(y)) return left.localeCompare(right);
      return x === y ? 0 : x - y;
    };
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => direction * compare(a, b)));
  }));
}

const followingData = (element) => JSON.parse(element.nextElementSibling.textContent);

// Charts: figures bring data and titles; the page brings colours and margins.
const charts = [...document.querySelectorAll(".chart")].map((element) => ({
  element,
  figure: followingData(element),
  curves: element.dataset.curves === "true",
  scopes: [...document.querySelectorAll("[data-scope]")].filter((scope) => scope.contains(element)),
}));
const axisTitles = { step: "step", second: "seconds of training steps" };
const hidden = new Map();
let axis = "step";

const isHidden = (chart, key) => chart.scopes.some((scope) => hidden.get(scope)?.has(key));

function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, grid, raised, rule] = ["--ink", "--soft", "--grid", "--raised", "--rule"].map((name) => style.getPropertyValue(name));
  const layout = structuredClone(figure.layout);
  delete layout.template;
  Object.assign(layout, { xaxis: layout.xaxis ?? {}, yaxis: layout.yaxis ?? {} });
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    Object.assign(layout[name], { gridcolor: grid, zerolinecolor: grid, linecolor: rule, automargin: true, fixedrange: true });
  }
  for (const line of layout.shapes ?? []) line.line.color = ink;
  for (const note of layout.annotations ?? []) note.font = { color: note.name === "target" ? ink : soft, size: 12 };
  return {
    hovermode: "closest",
    margin: { l: 8, r: 12, t: 12, b: 8 },
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft },
    hoverlabel: { bgcolor: raised, bordercolor: rule, font: { color: ink } },
    // Optimizers have buttons; the series of a picture have a legend of their own.
    showlegend: layout.meta?.legend === true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: soft, size: 11 } },
  };
}

function drawChart(chart) {
  const { element, figure, curves } = chart;
  const data = figure.data.map((trace) => ({
    ...trace,
    x: curves ? trace.meta[axis] : trace.x,
    visible: !(trace.meta?.key !== undefined && isHidden(chart, trace.meta.key)),
  }));
  const layout = themed(figure);
  if (curves) layout.xaxis.title = { text: axisTitles[axis] };
  Plotly.react(element, data, layout, { displayModeBar: false, responsive: true });
}

// A chart is drawn when it comes near the window, so that a long report opens at once; so is what was folded away.
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const chart = charts.find(({ element }) => element === target);
    chart.drawn = true;
    drawChart(chart);
  }
}, { rootMargin: "800px" });
charts.forEach(({ element }) => near.observe(element));

const redraw = () => charts.filter(({ drawn }) => drawn).forEach(drawChart);

for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const scope = button.closest("[data-scope]");
    const keys = hidden.get(scope) ?? new Set();
    hidden.set(scope, keys);
    if (!keys.delete(button.dataset.key)) keys.add(button.dataset.key);
    button.setAttribute("aria-pressed", String(!keys.has(button.dataset.key)));
    redraw();
  });
}

for (const button of document.querySelectorAll(".axis button")) {
  button.addEventListener("click", () => {
    axis = button.dataset.axis;
    for (const other of document.querySelectorAll(".axis button")) other.setAttribute("aria-pressed", String(other === button));
    redraw();
  });
}

// Pictures: a canvas as large as the pixels are many; the style sheet enlarges it without smoothing.
function paint(canvas) {
  const { width, height, count, signed, pixels } = followingData(canvas);
  const gap = 1;
  canvas.width = count * (width + gap) - gap;
  canvas.height = height;
  canvas.style.width = `${canvas.width * Math.max(2, Math.round(56 / width))}px`;
  const context = canvas.getContext("2d");
  for (let image = 0; image < count; image++) {
    const target = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      const start = 2 * (image * width * height + at);
      const value = parseInt(pixels.slice(start, start + 2), 16);
      // Signed pictures are white at zero, blue below and red above it.
      const tint = signed ? [255 - 2 * Math.max(0, 128 - value), 255 - 2 * Math.abs(value - 128), 255 - 2 * Math.max(0, value - 128)] : [value, value, value];
      target.data.set([...tint, 255], 4 * at);
    }
    context.putImageData(target, image * (width + gap), 0);
  }
}
document.querySelectorAll(".strip canvas").forEach(paint);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", () => {
  document.querySelectorAll("details:has(.parts)").forEach((details) => { details.open = true; });
  charts.forEach((chart) => { chart.drawn = true; });
  redraw();
});
