"use strict";

// Sorting: a click on a header sorts by it, another one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
  const number = (text) => (text === "inf" || text === "nan" ? Infinity : Number(text));
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const compare = (a, b) => {
      const [left, right] = [key(a, column), key(b, column)];
      const [x, y] = [number(left), number(right)];
      if (Number.isNaN(x) || Number.isNaN(y)) return left.localeCompare(right);
      return x === y ? 0 : x - y;
    };
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => direction * compare(a, b)));
  }));
}

// Charts: figures bring data and titles; the page brings colours and margins.
const charts = [...document.querySelectorAll(".chart")].map((element) => ({
  element,
  figure: JSON.parse(element.nextElementSibling.textContent),
  curves: element.dataset.curves === "true",
}));
const axisTitles = { step: "step", second: "seconds of training steps" };
const hidden = new Set();
let axis = "step";

function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, grid, raised, rule] = ["--ink", "--soft", "--grid", "--raised", "--rule"].map((name) => style.getPropertyValue(name));
  const axisStyle = { gridcolor: grid, zerolinecolor: grid, linecolor: rule, automargin: true, fixedrange: true };
  const layout = structuredClone(figure.layout);
  delete layout.template;
  layout.xaxis = { ...layout.xaxis, ...axisStyle, showgrid: layout.xaxis.title.text !== "step" };
  layout.yaxis = { ...layout.yaxis, ...axisStyle };
  for (const line of layout.shapes ?? []) line.line.color = ink;
  for (const note of layout.annotations ?? []) Object.assign(note, { xanchor: "left", yanchor: "top", font: { color: ink, size: 12 } });
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft },
    hoverlabel: { bgcolor: raised, bordercolor: rule, font: { color: ink } },
    hovermode: layout.yaxis.type === "log" || layout.yaxis.range ? "x unified" : "closest",
    margin: { l: 8, r: 12, t: 12, b: 8 },
    showlegend: false,
  };
}

function draw() {
  for (const { element, figure, curves } of charts) {
    const data = figure.data.map((trace) => ({
      ...trace,
      x: curves ? trace.meta[axis] : trace.x,
      visible: !hidden.has(trace.meta.optimizer),
    }));
    const layout = themed(figure);
    if (curves) layout.xaxis.title = { text: axisTitles[axis] };
    Plotly.react(element, data, layout, { displayModeBar: false, responsive: true });
  }
}

for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const name = button.dataset.optimizer;
    if (!hidden.delete(name)) hidden.add(name);
    button.setAttribute("aria-pressed", String(!hidden.has(name)));
    draw();
  });
}

for (const button of document.querySelectorAll(".axis button")) {
  button.addEventListener("click", () => {
    axis = button.dataset.axis;
    for (const other of document.querySelectorAll(".axis button")) other.setAttribute("aria-pressed", String(other === button));
    draw();
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
