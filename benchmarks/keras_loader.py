"""Compare the suite's loader for TensorFlow with Keras' ``image_dataset_from_directory``, in turn in one process.

Both are asked for the same images: the small set, or ``--images DIR``, resized and divided by 255, in order and without
rotation. Printed are the transformations of each pipeline and the operations within them, read from its graph; how far
the pixels are from those of Pillow with antialiasing, in levels of 0 to 255; and the median ratio of the seconds of an
epoch, Keras' ÷ the suite's, over epochs in turn: A B B A.

Run it on an idle machine, with the project, TensorFlow and Pillow installed: ``python benchmarks/keras_loader.py``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from dlworkloads.data.image_set import make_image_set
from dlworkloads.data.images import index
from dlworkloads.data.loading import Loading

_UNIMPORTANT = {"Const", "Identity", "NoOp", "Placeholder", "_Arg", "_Retval", "Cast", "ExpandDims", "Squeeze", "Pack"}


def main() -> None:
    """Print pipelines, pixels and the ratio."""
    parser = argparse.ArgumentParser(description="The suite's loader against image_dataset_from_directory.")
    parser.add_argument("--images", metavar="DIR", help="a folder with train/CLASS and validation/CLASS")
    parser.add_argument("--size", type=int, default=224, help="width and height; default 224")
    parser.add_argument("--batch-size", type=int, default=32, help="default 32")
    parser.add_argument("--workers", type=int, default=2, help="of the suite's loader, at least 1; default 2")
    parser.add_argument("--pairs", type=int, default=10, help="of epochs, an even number; default 10")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with tempfile.TemporaryDirectory() as cache:
        folder = options.images or make_image_set(cache)[0]
        ours, theirs = loaders(folder, options.size, options.batch_size, options.workers)
        for name, batches in (("suite", ours), ("Keras", theirs)):
            transformations, operations = pipeline_of(batches)
            print(f"{name}: {' > '.join(transformations)}; {', '.join(operations)}")
        exact = pillow_pixels(index(folder).train.files, options.size)
        for name, batches in (("suite", ours), ("Keras", theirs)):
            off = np.abs(pixels(batches) - exact)
            print(f"{name}: differs from Pillow by {off.mean():.2f} levels on average, by {off.max():.0f} at most")
        ratios = []
        for pair in range(options.pairs):
            first, second = (ours, theirs) if pair % 2 == 0 else (theirs, ours)
            seconds = {id(each): epoch_seconds(each) for each in (first, second)}
            ratios.append(seconds[id(theirs)] / seconds[id(ours)])
        found = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"seconds of an epoch, Keras / suite: {found}")


def loaders(folder: str, size: int, batch_size: int, workers: int) -> tuple[Any, Any]:
    """Return the data sets of the training images, the suite's and Keras', in the same order."""
    import keras

    from dlworkloads.frameworks.keras.tensorflow_images import data_set

    loading = Loading(index(folder).train, size, batch_size, workers, training=False, channels_last=True)
    theirs = keras.utils.image_dataset_from_directory(
        os.path.join(folder, "train"), image_size=(size, size), batch_size=batch_size, shuffle=False, verbose=False
    )
    return data_set(loading).batches, theirs.map(lambda images, labels: (images / 255, labels))


def pipeline_of(batches: Any) -> tuple[list[str], list[str]]:
    """Return the transformations of a data set of TensorFlow, and the operations of its functions, sorted."""
    import tensorflow as tf

    serialised = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(batches)).numpy()
    graph = tf.compat.v1.GraphDef.FromString(serialised)
    transformations = [node.op for node in graph.node if "Dataset" in node.op]
    operations = {node.op for function in graph.library.function for node in function.node_def}
    return transformations, sorted(operations - _UNIMPORTANT)


def pixels(batches: Iterable[Any]) -> np.ndarray:
    """Return the images of an epoch in levels of 0 to 255."""
    return np.concatenate([np.asarray(images) for images, _ in batches]) * 255


def pillow_pixels(files: Iterable[str], size: int) -> np.ndarray:
    """Return the images that Pillow decodes, and resizes with antialiasing."""
    from dlworkloads.data.pillow_images import decode

    return np.stack([decode(file, size) for file in files]) * 255


def epoch_seconds(batches: Iterable[Any]) -> float:
    """Return the seconds of an epoch."""
    began = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
