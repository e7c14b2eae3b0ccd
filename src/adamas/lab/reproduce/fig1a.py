"""Figure 1 (left) of the Adam paper: logistic regression, dense inputs, a convex cost with noisy gradients."""

from adamas.lab.reproduce.claims import Ahead, Alike
from adamas.lab.reproduce.figure import OWN, Arm, Figure

FIGURE = Figure(
    name="fig1a",
    title="Logistic regression on MNIST: a convex cost, noisy gradients",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 1 left",
    shows="Adam and SGD with Nesterov's momentum descend alike, and both faster than AdaGrad.",
    workload="logreg@mnist5k",
    arms=(
        Arm("adam", "Adam, lr/√t", f"{OWN}:DecayedAdam"),
        Arm("nesterov", "Nesterov, lr/√t", f"{OWN}:DecayedNesterov"),
        Arm("adagrad", "AdaGrad, lr/√t", f"{OWN}:DecayedAdagrad"),
        Arm("adagrad-plain", "AdaGrad, constant lr", "adagrad"),
    ),
    rates=(0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16),
    epochs=30,
    batch_size=128,
    evaluations=30,
    claims=(
        Alike("adam", "nesterov", "Adam and Nesterov have the same cost"),
        Ahead("adam", "adagrad", "Adam is ahead of AdaGrad, which decays its learning rate too"),
        Ahead("nesterov", "adagrad", "Nesterov is ahead of AdaGrad, which decays its learning rate too"),
        Ahead("adam", "adagrad-plain", "Adam is ahead of AdaGrad with a constant learning rate"),
        Ahead("nesterov", "adagrad-plain", "Nesterov is ahead of AdaGrad with a constant learning rate"),
    ),
    deviations=(
        "4,000 images of MNIST instead of 60,000 and 30 epochs instead of 45: 930 steps instead of 21,100.",
        "The paper does not say whether AdaGrad's learning rate decays with 1/√t as well; both are run.",
        "The momentum of Nesterov is 0.9; the paper gives no value. Adam has its default betas.",
        "The cost is measured on the whole training set after each epoch; the paper does not say how it measures it.",
    ),
)
