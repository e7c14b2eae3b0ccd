// The map: contours of the loss, drawn pixel by pixel once for a surface; trajectories over it.

const BANDS = 16;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// Losses to 0..1, so that as much of the map is below 1/2 as above: log(1 + loss / scale).
function heights(surface, columns, rows) {
  const [left, right, bottom, top] = surface.domain;
  const losses = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    const y = top - ((row + 0.5) / rows) * (top - bottom);
    for (let column = 0; column < columns; column++) {
      losses[row * columns + column] = surface.value(left + ((column + 0.5) / columns) * (right - left), y);
    }
  }
  const some = losses.filter((_, at) => at % 97 === 0).sort();
  const [middle, most] = [some[some.length >> 1], some.at(-1)];
  let [low, high] = [1e-9 * most, most];
  for (let turn = 0; turn < 50; turn++) {
    const scale = Math.sqrt(low * high);
    if (Math.log1p(middle / scale) / Math.log1p(most / scale) > 0.5) low = scale;
    else high = scale;
  }
  return losses.map((loss) => Math.min(1, Math.log1p(loss / low) / Math.log1p(most / low)));
}

function paintContours(canvas, surface) {
  const { width, height } = canvas;
  const level = heights(surface, width, height);
  const [deep, high, line] = ["--deep", "--high", "--contour"].map((name) => channels(css(name)));
  const image = new ImageData(width, height);
  for (let at = 0; at < level.length; at++) {
    const here = level[at] * BANDS;
    const right = level[at + 1] ?? level[at], below = level[at + width] ?? level[at];
    const slope = Math.max(Math.hypot(right - level[at], below - level[at]) * BANDS, 1e-6);
    const off = Math.abs(here - Math.round(here)) / slope; // distance from the nearest contour, in pixels
    const ink = Math.max(0, 1.1 - off) * 0.5;
    const shade = (Math.floor(here) + 0.35 * (here % 1)) / BANDS;
    for (let c = 0; c < 3; c++) {
      const paper = deep[c] + (high[c] - deep[c]) * Math.min(1, shade);
      image.data[4 * at + c] = paper + (line[c] - paper) * ink;
    }
    image.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function makeMap(frame) {
  const [ground, ways] = frame.querySelectorAll("canvas");
  const place = (surface, [x, y]) => {
    const [left, right, bottom, top] = surface.domain;
    return [(x - left) / (right - left), (top - y) / (top - bottom)];
  };
  const point = (surface, across, down) => {
    const [left, right, bottom, top] = surface.domain;
    const clamped = (value) => Math.min(1, Math.max(0, value));
    return [left + clamped(across) * (right - left), top - clamped(down) * (top - bottom)];
  };

  // Fits both canvases to the frame, in the screen's own pixels.
  function fit(surface) {
    if (frame.clientHeight === 0) return; // not shown
    const ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [ground, ways]) {
      canvas.width = Math.round(frame.clientWidth * ratio);
      canvas.height = Math.round(frame.clientHeight * ratio);
    }
    paintContours(ground, surface);
  }

  function draw(surface, shown, step) {
    const pen = ways.getContext("2d");
    const unit = ways.width / frame.clientWidth;
    const pixel = (at) => place(surface, at).map((share, i) => share * [ways.width, ways.height][i]);
    pen.clearRect(0, 0, ways.width, ways.height);
    pen.lineJoin = pen.lineCap = "round";
    surface.minima.forEach((at) => star(pen, pixel(at), unit));
    for (const { path, colour } of shown) {
      const pixels = path.points.slice(0, step + 1).map(pixel);
      trail(pen, pixels, unit, css("--halo"), 4.5, 0.75);
      trail(pen, pixels, unit, colour, 2.2, 1);
      dots(pen, pixels, unit, colour);
    }
    for (const { path, colour } of shown) head(pen, pixel(path.points[Math.min(step, path.points.length - 1)]), unit, colour);
  }
  return { place, point, fit, draw };
}

function trail(pen, pixels, unit, colour, width, alpha) {
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour;
  pen.lineWidth = width * unit;
  pen.beginPath();
  pixels.forEach(([x, y], at) => (at ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
  pen.globalAlpha = 1;
}

// A dot for every step that is far enough from the last dot to be told from it.
function dots(pen, pixels, unit, colour) {
  pen.fillStyle = colour;
  let last = [-Infinity, 0];
  for (const [x, y] of pixels) {
    if (Math.hypot(x - last[0], y - last[1]) < 7 * unit) continue;
    last = [x, y];
    pen.beginPath();
    pen.arc(x, y, 2.4 * unit, 0, 2 * Math.PI);
    pen.fill();
  }
}

function head(pen, [x, y], unit, colour) {
  pen.beginPath();
  pen.arc(x, y, 6 * unit, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.strokeStyle = css("--halo");
  pen.lineWidth = 2.5 * unit;
  pen.fill();
  pen.stroke();
}

function star(pen, [x, y], unit) {
  pen.strokeStyle = css("--ink");
  pen.lineWidth = 1.6 * unit;
  pen.beginPath();
  for (const [dx, dy] of [[1, 0], [0, 1]]) {
    pen.moveTo(x - 7 * unit * dx, y - 7 * unit * dy);
    pen.lineTo(x + 7 * unit * dx, y + 7 * unit * dy);
  }
  pen.stroke();
}
