"""Types of arguments, for argparse and for pytest's options alike."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

__all__ = ["argparse_type"]


def argparse_type(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argparse type of a function whose ValueError says it all."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
