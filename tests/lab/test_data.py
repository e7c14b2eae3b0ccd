import numpy as np
import pytest
from sklearn.datasets import load_digits

from adamas.lab.data import digits, package_file
from adamas.lab.errors import LabError


def test_digits_are_scikit_learns_split_in_two():
    data = digits()
    images = np.concatenate([split[0].numpy() for split in (data.train, data.test)]) * 16
    labels = np.concatenate([split[1].numpy() for split in (data.train, data.test)])
    inputs, targets = load_digits(return_X_y=True)
    ours = sorted(map(tuple, np.column_stack([images, labels]).tolist()))
    assert ours == sorted(map(tuple, np.column_stack([inputs, targets]).tolist()))
    assert (len(data.train[0]), len(data.test[0])) == (1438, 359)


def test_both_splits_have_all_classes():
    data = digits()
    for split in (data.train, data.test):
        counts = np.bincount(split[1].numpy(), minlength=10)
        assert counts.min() > 0.07 * counts.sum()


def test_a_package_that_is_missing_is_named():
    with pytest.raises(LabError, match="pip install not-installed"):
        package_file("not-installed", "not_installed_anywhere", "x.csv")


def test_a_file_that_is_missing_is_named():
    with pytest.raises(LabError, match="scikit-learn has no file datasets/nothing"):
        package_file("scikit-learn", "sklearn", "datasets/nothing")
