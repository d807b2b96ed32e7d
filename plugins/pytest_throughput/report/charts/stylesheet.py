"""The CSS of charts: with the colours of both themes for pages, with literal colours for files."""

from __future__ import annotations

__all__ = ["stylesheet"]


def stylesheet() -> str:
    """Return the CSS that a page with charts needs.

    It follows the CSS property ``color-scheme`` of the page (``light``, ``dark`` or ``light dark``). A page whose
    background is neither ``LIGHT_PAPER`` nor ``DARK_PAPER`` of ``styles`` sets ``--chart-paper`` after it.
    """
    raise NotImplementedError
