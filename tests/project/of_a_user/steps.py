"""A step of a user: a product of matrices in NumPy."""

import numpy as np

from pytest_throughput import Step


def open_product(size: int) -> Step:
    left, right = np.ones((size, size)), np.ones((size, size))
    return Step(lambda: left @ right)
