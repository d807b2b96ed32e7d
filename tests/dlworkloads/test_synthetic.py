"""Synthetic batches."""

from __future__ import annotations

import numpy as np

from dlworkloads.data import synthetic


def test_images_are_standard_normal_and_the_same_every_time() -> None:
    images = synthetic.images(4, (3, 32, 32))
    assert images.shape == (4, 3, 32, 32) and images.dtype == np.float32
    assert abs(images.mean()) < 0.05 and abs(images.std() - 1) < 0.05
    np.testing.assert_array_equal(images, synthetic.images(4, (3, 32, 32)))
    assert (images != synthetic.images(4, (3, 32, 32), seed=1)).all()


def test_labels_are_classes() -> None:
    labels = synthetic.labels(1000, 7)
    assert labels.shape == (1000,) and labels.dtype == np.int64
    assert set(labels) == set(range(7))
