// Surfaces: `value` is the loss that is drawn; `gradient` what an optimizer is told where `seen(t)` is 1. The least loss
// is 0 on all of them, at `minima`. `domain` is [left, right, bottom, top], always 4 wide to 3 high.

const always = () => [1, 1];

// The ravine's axes are turned by 30 degrees: u along it, v across.
const [COS, SIN] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
const ACROSS = 40;

const SURFACES = {
  bowl: {
    label: "Quadratic bowl",
    about: "Eight times as steep along y as along x. One learning rate has to serve both: the steep direction limits it, the flat one waits.",
    domain: [-4, 4, -3, 3], start: [-3.2, 2.2], minima: [[0, 0]], steps: 120, noise: 0, seen: always,
    value: (x, y) => 0.5 * (x * x + 8 * y * y),
    gradient: (x, y) => [x, 8 * y],
  },
  rosenbrock: {
    label: "Rosenbrock",
    about: "A bent valley with steep walls and an almost flat floor. Getting into it is easy; along the floor, only what remembers its direction makes way.",
    domain: [-2, 2, -1, 2], start: [-1.3, 1.5], minima: [[1, 1]], steps: 500, noise: 0, seen: always,
    value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)],
  },
  beale: {
    label: "Beale",
    about: "Plateaus where the gradient is next to nothing, corners where it is in the thousands. Steps that do not depend on the gradient's scale cross both.",
    domain: [-3, 5, -3, 3], start: [-0.9, 1.6], minima: [[3, 0.5]], steps: 300, noise: 0, seen: always,
    value: (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y ** 3) ** 2,
    gradient: (x, y) => {
      const [a, b, c] = [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y ** 3];
      return [
        2 * (a * (y - 1) + b * (y * y - 1) + c * (y ** 3 - 1)),
        2 * x * (a + 2 * b * y + 3 * c * y * y),
      ];
    },
  },
  saddle: {
    label: "Saddle",
    about: "From the ridge, the way down is along y, where the gradient starts at almost nothing. Dividing by the gradient's own size makes little gradients count.",
    domain: [-2.4, 2.4, -1.8, 1.8], start: [-1.8, 0.02], minima: [[0, 1], [0, -1]], steps: 120, noise: 0, seen: always,
    value: (x, y) => 0.5 * x * x + 0.25 * (y * y - 1) ** 2,
    gradient: (x, y) => [x, y * (y * y - 1)],
  },
  ravine: {
    label: "Noisy ravine",
    about: "Forty times as steep across as along, at an angle to both axes, and every gradient comes with noise. Averaging helps; a step size for each coordinate does less, as the ravine follows neither.",
    domain: [-4, 4, -3, 3], start: [-2.9, -2.2], minima: [[0, 0]], steps: 400, noise: 3, seen: always,
    value: (x, y) => 0.5 * ((COS * x + SIN * y) ** 2 + ACROSS * (COS * y - SIN * x) ** 2),
    gradient: (x, y) => {
      const [u, v] = [COS * x + SIN * y, ACROSS * (COS * y - SIN * x)];
      return [COS * u - SIN * v, SIN * u + COS * v];
    },
  },
  sparse: {
    label: "Sparse feature",
    about: "y belongs to a rare feature: its gradient comes at every tenth step and is zero in between, as for the embedding of a rare word. Steps that are larger where gradients are rare make up for it.",
    domain: [-1.6, 2.4, -1.1, 1.9], start: [-1.1, -0.7], minima: [[1, 1]], steps: 200, noise: 0,
    seen: (t) => [1, t % 10 === 0 ? 1 : 0],
    value: (x, y) => 0.5 * (3 * (x - 1) ** 2 + (y - 1) ** 2 / 10),
    gradient: (x, y) => [3 * (x - 1), y - 1],
  },
};
