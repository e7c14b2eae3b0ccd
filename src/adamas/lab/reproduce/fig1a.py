"""Figure 1 (left) of the Adam paper: logistic regression, dense inputs, a convex cost with noisy gradients."""

from adamas.lab.reproduce.claims import Ahead, Alike
from adamas.lab.reproduce.figure import OWN, Arm, Figure

FIGURE = Figure(
    name="fig1a",
    title="Logistic regression on 60,000 images: a convex cost, noisy gradients",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 1 left",
    shows="Adam and SGD with Nesterov's momentum descend alike, and both faster than AdaGrad.",
    workload="logreg@fashion",
    arms=(
        Arm("adam", "Adam, lr/√t", f"{OWN}:DecayedAdam"),
        Arm("nesterov", "Nesterov, lr/√t", f"{OWN}:DecayedNesterov"),
        Arm("adagrad", "AdaGrad, lr/√t", f"{OWN}:DecayedAdagrad"),
        Arm("adagrad-plain", "AdaGrad, constant lr", "adagrad"),
    ),
    rates=(0.0316, 0.1, 0.316, 1.0, 3.16),
    epochs=2,
    batch_size=128,
    evaluations=24,
    claims=(
        Alike("adam", "nesterov", "Adam and Nesterov have the same cost"),
        Ahead("adam", "adagrad", "Adam is ahead of AdaGrad, which decays its learning rate too"),
        Ahead("nesterov", "adagrad", "Nesterov is ahead of AdaGrad, which decays its learning rate too"),
        Ahead("adam", "adagrad-plain", "Adam is ahead of AdaGrad with a constant learning rate"),
        Ahead("nesterov", "adagrad-plain", "Nesterov is ahead of AdaGrad with a constant learning rate"),
    ),
    deviations=(
        "The 60,000 images of Fashion-MNIST, which have the shape of MNIST's; those are not to be had here.",
        "The figure does not survive a smaller set: a linear model separates 4,000 images of MNIST, so the cost goes "
        "towards zero, and there (30 epochs, 3 seeds, average costs) AdaGrad with a constant rate, 0.068, is ahead of "
        "Adam, 0.086, and Adam of Nesterov, 0.19.",
        "2 epochs instead of 45: 936 steps instead of some 21,000.",
        "The paper does not say whether AdaGrad's learning rate decays with 1/√t as well; both are run.",
        "The momentum of Nesterov is 0.9; the paper gives no value. Adam has its default betas.",
        "The cost is measured on a fixed part of the training set; the paper does not say how it measures it.",
    ),
    search_seeds=1,
)
