"""Figure 1 (right) of the Adam paper: logistic regression on bags of words, sparse gradients."""

from adamas.lab.reproduce.claims import Ahead, Alike, Sooner
from adamas.lab.reproduce.figure import OWN, Arm, Figure

FIGURE = Figure(
    name="fig1b",
    title="Bags of words from film reviews: sparse gradients",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 1 right",
    shows="Adam descends as fast as AdaGrad, and both far faster than SGD with Nesterov's momentum.",
    workload="bow@movie",
    arms=(
        Arm("adam", "Adam, lr/√t", f"{OWN}:DecayedAdam"),
        Arm("adagrad", "AdaGrad, constant lr", "adagrad"),
        Arm("adagrad-sqrt", "AdaGrad, lr/√t", f"{OWN}:DecayedAdagrad"),
        Arm("nesterov", "Nesterov, lr/√t", f"{OWN}:DecayedNesterov"),
    ),
    rates=(0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0),
    epochs=15,
    batch_size=128,
    evaluations=30,
    claims=(
        Alike("adam", "adagrad", "Adam and AdaGrad with a constant learning rate have the same cost"),
        Alike("adam", "adagrad-sqrt", "Adam and AdaGrad have the same cost, if AdaGrad's rate decays with 1/√t too"),
        Ahead("adam", "nesterov", "Adam is ahead of Nesterov"),
        Sooner("adam", "nesterov", "Adam is far ahead: there in under half of the steps, where Nesterov ends"),
        Sooner("adagrad", "nesterov", "AdaGrad is far ahead: there in under half of the steps, where Nesterov ends"),
    ),
    deviations=(
        "8,484 snippets of film reviews, a sentence or two each, instead of 25,000 whole reviews: bags are sparser.",
        "No dropout on the words; the paper has curves with and without it.",
        "15 epochs of 66 steps; the paper's axis goes to 160 epochs.",
        "The paper does not say whether AdaGrad's learning rate decays with 1/√t as well; both are run.",
        "The momentum of Nesterov is 0.9; the paper gives no value. Adam has its default betas.",
    ),
    search_seeds=1,
)
