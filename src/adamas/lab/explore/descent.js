// One optimizer's way down a surface, by its rule (RULES, printed from src/adamas/rules); and the search for its best
// learning rate.

const LOST = 1e6; // farther than this from the origin is divergence

// Normal random numbers, the same for every optimizer: Box and Muller on mulberry32.
function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

// What a run recorded: `points` and `loss` from step 0; per coordinate, from step 1, the `mean` of its gradients, their
// root mean square (`size`), both without bias, and the effective step size (`pace`): the step for each unit of mean
// gradient, both averaged over the last few steps. `lost` is the step at which it was given up.
function descend(rule, h, { surface, start, steps, noise, seed }) {
  const normal = normals(seed);
  const keep = 1 - h.lr * (h.weight_decay ?? 0);
  const at = [...start];
  const slots = [rule.start(h), rule.start(h)];
  const way = [{ step: 0, mean: 0 }, { step: 0, mean: 0 }];
  let counters = rule.start(h);
  const path = { points: [[...start]], loss: [surface.value(...start)], mean: [[], []], size: [[], []], pace: [[], []], lost: null };
  for (let t = 1; t <= steps; t++) {
    const [gradient, seen] = [surface.gradient(...at), surface.seen(t)];
    counters = { ...counters, ...rule.advance(h, t, counters) };
    const scalars = rule.scalars(h, t, counters);
    for (const i of [0, 1]) {
      const g = seen[i] * (gradient[i] + noise * normal());
      const from = keep * at[i];
      at[i] = rule.update(from, g, scalars, slots[i]);
      record(path, i, rule, h, t, slots[i], g, from - at[i], way[i]);
    }
    counters.first = 0;
    path.points.push([...at]);
    path.loss.push(surface.value(...at));
    if (!(Math.hypot(...at) < LOST)) {
      path.lost = t;
      break;
    }
  }
  return path;
}

function record(path, i, rule, h, t, slots, g, step, way) {
  const mean = rule.mean ? slots[rule.mean.slot] * rule.mean.scale(h, t) : g;
  way.step = 0.8 * way.step + Math.abs(step);
  way.mean = 0.8 * way.mean + Math.abs(mean);
  path.mean[i].push(mean);
  path.size[i].push(rule.size ? Math.sqrt(slots[rule.size.slot] * rule.size.scale(h, t)) : NaN);
  path.pace[i].push(way.step / way.mean);
}

// The first step from which on the loss stays below a share of its start; null if none.
function arrival(path, share = 0.01) {
  if (path.lost !== null) return null;
  let step = path.loss.length;
  while (step > 0 && path.loss[step - 1] <= share * path.loss[0]) step--;
  return step < path.loss.length ? step : null;
}

const within = ([left, right, bottom, top], [x, y]) => left <= x && x <= right && bottom <= y && y <= top;

// The learning rates of the slider, 24 a decade, as resistors have them; the search takes every fourth.
const MANTISSAS = [1, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2, 2.2, 2.4, 2.7, 3, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1];
const rate = (index) => Number(`${MANTISSAS[((index % 24) + 24) % 24]}e${Math.floor(index / 24)}`);

// The rate with the lowest mean logarithm of the loss along the way, all that is below a ten thousandth of the start being
// as good; one that leaves the map only if all do.
function bestRate(rule, h, run, [lowest, highest]) {
  let best = { index: lowest, score: Infinity };
  for (let index = lowest; index <= highest; index += 4) {
    const path = descend(rule, { ...h, lr: rate(index) }, run);
    if (path.lost !== null) continue;
    const floor = 1e-4 * path.loss[0];
    const outside = path.points.every((point) => within(run.surface.domain, point)) ? 0 : 1e3;
    const score = outside + path.loss.reduce((sum, loss) => sum + Math.log(Math.max(loss, floor)), 0) / path.loss.length;
    if (score < best.score) best = { index, score };
  }
  return best.index;
}
