"""The styles of series: a framework has the same colour and shape in every chart of every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["styles_of"]

_KNOWN = (
    "pytorch",
    "tensorflow",
    "jax",
    "keras-torch",
    "keras-jax",
    "onnxruntime",
    "openvino",
    "theano",
    "caffe",
    "caffe2",
    "numpy",
)
"""Those whose style never depends on what else was measured."""


def styles_of(names: Iterable[str]) -> Mapping[str, int]:
    """Return the number of the style of each name: known frameworks have fixed ones, the others follow in order."""
    styles = {name: number for number, name in enumerate(_KNOWN)}
    for name in names:
        styles.setdefault(name, len(styles))
    return styles
