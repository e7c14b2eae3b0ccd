"""Figure 3 of the Adam paper: a convolutional network, at first and later."""

from adamas.lab.reproduce.claims import Ahead, cost_at
from adamas.lab.reproduce.figure import Arm, Figure

_EARLY, _WHEN = cost_at(3 / 45), "cost after a fifteenth of the training"

FIGURE = Figure(
    name="fig3",
    title="A convolutional network: the first epochs and the rest",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 3",
    shows=(
        "Adam and AdaGrad lower the cost quickly in the first three epochs; by the end of the 45 epochs Adam and "
        "SGD are far ahead of AdaGrad, and Adam marginally ahead of SGD."
    ),
    workload="cnn@plain",
    arms=(
        Arm("adam", "Adam", "adam"),
        Arm("adagrad", "AdaGrad", "adagrad"),
        Arm("nesterov", "Nesterov", "nesterov"),
    ),
    rates=(0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0),
    epochs=45,
    batch_size=128,
    evaluations=45,
    claims=(
        Ahead("adam", "nesterov", "In the first epochs Adam is ahead of Nesterov", _EARLY, _WHEN),
        Ahead("adagrad", "nesterov", "In the first epochs AdaGrad is ahead of Nesterov", _EARLY, _WHEN),
        Ahead("adam", "adagrad", "In the end Adam is ahead of AdaGrad", cost_at(1.0), "last cost"),
        Ahead("nesterov", "adagrad", "In the end Nesterov is ahead of AdaGrad", cost_at(1.0), "last cost"),
        Ahead("adam", "nesterov", "In the end Adam is ahead of Nesterov", cost_at(1.0), "last cost"),
    ),
    deviations=(
        "1,438 digits of 8x8 pixels instead of CIFAR-10: a small fraction of the data, and an easier task.",
        "Two convolutions of 16 and 32 channels and no layer of 1,000 units; the paper's network has three and one.",
        "45 epochs as in the paper, but of 11 steps: 495 instead of 17,600.",
        "Dropout 0.25 before the last layer; the paper has it on the input and the large layer, and curves without it.",
        "No whitening of the input.",
    ),
    search_seeds=1,
)
