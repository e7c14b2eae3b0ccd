"""Figure 2 (left) of the Adam paper: a multilayer perceptron with dropout."""

from adamas.lab.reproduce.claims import Ahead
from adamas.lab.reproduce.figure import Arm, Figure

_OTHERS = {"nesterov": "Nesterov", "adagrad": "AdaGrad", "rmsprop": "RMSProp", "adadelta": "AdaDelta"}
_OPTIMIZERS = {"adadelta": "torch.optim:Adadelta?rho=0.95"}

FIGURE = Figure(
    name="fig2",
    title="A multilayer perceptron with dropout",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 2 left",
    shows="Adam's training cost is the lowest of all five, during all of the training.",
    workload="mlp@mnist5k",
    arms=(
        Arm("adam", "Adam", "adam"),
        *(Arm(name, label, _OPTIMIZERS.get(name, name)) for name, label in _OTHERS.items()),
    ),
    rates=(0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0),
    epochs=15,
    batch_size=128,
    evaluations=15,
    claims=tuple(Ahead("adam", name, f"Adam is ahead of {label}") for name, label in _OTHERS.items()),
    deviations=(
        "Two hidden layers of 128 units, not 1,000, with dropout 0.2; 4,000 images of MNIST, not 60,000.",
        "15 epochs instead of 200: 465 steps instead of 93,750.",
        "The cost is measured without dropout, over the training set; the paper's is that of training, with dropout.",
        "No weight decay; the paper has some L2.",
        "AdaDelta is PyTorch's, with rho = 0.95; RMSProp has alpha 0.99, Nesterov a momentum of 0.9.",
    ),
    search_seeds=1,
)
