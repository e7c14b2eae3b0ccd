"""Variants of Adam that other papers propose: one idea each, and any of them together.

    g, m, v, lr, beta1, beta2, eps   as in Adam; m^, v^ without their start at zero
    top    what is divided: m^, or with nesterov  beta1 m / (1 - beta1^(t+1)) + (1 - beta1) g / (1 - beta1^t)

eps_mode, how a division by nothing is avoided:

    add      top / (sqrt(v^) + eps)           Kingma & Ba 2015, arXiv 1412.6980
    inside   top / sqrt(v^ + eps^2)           smooth at 0; eps^2, so that eps stays in gradient units
    atan2    4/pi atan2(top, sqrt(v^))        no eps at all, never beyond 2, the same for any scale of the gradients:
                                              Everett et al. 2024, arXiv 2407.05872, section 4.3

nesterov: Dozat 2016 without its momentum schedule, as others' NAdamW.

cautious: elements of the step that point against the gradient are left out, and the others are multiplied by
1 / (share that is left, at least 1e-3) of their tensor, which the engine does (`adamas.engines.cautious`): Liang et al.
2024, arXiv 2411.16085, algorithm 1, with the factor of their published code.
"""

from functools import cache
from math import pi

from adamas.rules.adam import Adam, M, V
from adamas.rules.host import host_sqrt
from adamas.rules.language import absolute, lerp, maximum, sign, sqrt
from adamas.rules.rule import Rule, Slot

EPS_MODES = ("add", "inside", "atan2")

# atan(t) / t as a polynomial of t^2 on 0 .. 1, right to 2e-8: interpolated at Chebyshev's points.
_ATAN = (
    0.9999999817886558,
    -0.3333303670928615,
    0.1999187202910793,
    -0.1419779779407795,
    0.10618370636914991,
    -0.07456854825884664,
    0.04213762358729292,
    -0.015731249120717487,
    0.002766283501324048,
)
_TINY = 2.0**-126  # float32's smallest normal number


def angle(y, x):
    """Return atan2(y, x) for x >= 0: 0 where both are 0. The same bits on every engine, right to 3e-8."""
    size = absolute(y)
    large, small = maximum(size, x), -maximum(-size, -x)
    t = small / maximum(large, _TINY)
    square = t * t
    series = square * _ATAN[-1] + _ATAN[-2]
    for coefficient in _ATAN[-3::-1]:
        series = square * series + coefficient
    turned = t * series
    steep = (sign(size - x) + 1.0) * 0.5  # 1 where y > x, and it is pi/2 minus the angle to the other axis
    return sign(y) * (turned + steep * (pi / 2 - 2.0 * turned))


@cache
def adam_variant(eps_mode: str, nesterov: bool, cautious: bool, amsgrad: bool) -> type[Rule]:
    """Return the rule of this variant: always the same class."""
    words = (("Cautious", cautious), ("Nesterov", nesterov), (eps_mode.title(), eps_mode != "add"))
    name = "".join(word for word, wanted in words if wanted) + ("AMSGrad" if amsgrad else "Adam")

    def scalars(h, t):
        unbias, unbias_v = 1 / (1 - h.beta1**t), 1 / (1 - h.beta2**t)
        lr = h.lr * 4 / pi if eps_mode == "atan2" else h.lr
        by_m = h.beta1 / (1 - h.beta1 ** (t + 1)) if nesterov else unbias
        shares = {"by_m": by_m, "by_g": (1 - h.beta1) * unbias} if nesterov else {"by_m": by_m}
        if eps_mode != "atan2":
            shares, lr = {key: lr * share for key, share in shares.items()}, None
        denominator = {
            "add": {"unbias": host_sqrt(unbias_v), "eps": h.eps},
            "inside": {"unbias": unbias_v, "eps": h.eps**2},
            "atan2": {"unbias": host_sqrt(unbias_v), "lr": lr},
        }[eps_mode]
        return {"take1": 1 - h.beta1, "beta2": h.beta2, "take2": 1 - h.beta2, **shares, **denominator}

    def update(g, m, v, *rest):
        *largest, c = rest
        m = lerp(m, g, c.take1)
        v = c.beta2 * v + c.take2 * (g * g)
        largest = [maximum(x, v) for x in largest]
        w = largest[0] if largest else v
        top = c.by_m * m + c.by_g * g if nesterov else c.by_m * m
        if eps_mode == "add":
            u = top / (sqrt(w) * c.unbias + c.eps)
        elif eps_mode == "inside":
            u = top / sqrt(w * c.unbias + c.eps)
        else:
            u = c.lr * angle(top, sqrt(w) * c.unbias)
        if cautious:
            u = u * maximum(sign(top) * sign(g), 0.0)
        return (u, m, v, *largest)

    slots = (M, V, Slot("max_exp_avg_sq", signed=False, late=True)) if amsgrad else (M, V)
    members = {"slots": slots, "cautious": cautious, "scalars": scalars, "update": update, "fold": Rule.fold}
    members["__doc__"] = (
        f"Adam with eps_mode={eps_mode!r}, nesterov={nesterov}, cautious={cautious}, amsgrad={amsgrad}."
    )
    return type(name, (Adam,), {**members, "__module__": __name__})


# Those that are compiled; their kin run on the reference engine.
InsideAdam = adam_variant("inside", False, False, False)
Atan2Adam = adam_variant("atan2", False, False, False)
NesterovAdam = adam_variant("add", True, False, False)
CautiousAdam = adam_variant("add", False, True, False)
