"""Let Theano compute in Python what is no convolution and no pool: the C++ compiler takes a second for each operation.

This module runs in the interpreter of Theano.
"""

from __future__ import annotations

from typing import Any

__all__ = ["compile_convolutions_only"]


def compile_convolutions_only() -> None:
    """Have functions that are compiled from now on compute all other operations by NumPy."""
    from theano.gof.op import Op
    from theano.tensor.nnet.corr import BaseCorrMM
    from theano.tensor.signal.pool import AveragePoolGrad, MaxPoolGrad, Pool

    make_thunk = Op.make_thunk

    def make_thunk_in_python(self: Any, *arguments: Any, **keywords: Any) -> Any:
        is_compiled = isinstance(self, (BaseCorrMM, Pool, MaxPoolGrad, AveragePoolGrad))
        return make_thunk(self, *arguments, **(keywords if is_compiled else {**keywords, "impl": "py"}))

    Op.make_thunk = make_thunk_in_python
