"""Styles can be told apart by everyone, on screens and in print."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from pytest_throughput.report.charts.drawing import WIDTH
from pytest_throughput.report.charts.hatching import hatch_number
from pytest_throughput.report.charts.lettering import SIZE
from pytest_throughput.report.charts.styles import (
    COLOURS,
    DASHES,
    INKS,
    colour_class,
    is_open,
    outline,
    styles_of,
    variant_class,
)
from pytest_throughput.report.charts.stylesheet import NARROWEST, literal_stylesheet, stylesheet

# Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1, for linear RGB.
EYES = {
    "trichromacy": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> np.ndarray:
    """Return linear RGB (IEC 61966-2-1)."""
    channels = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    lights = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def oklab(rgb: np.ndarray) -> Any:
    """Return Oklab, https://bottosson.github.io/posts/oklab/, times 100."""
    cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return 100 * lab @ np.cbrt(cones @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_is_that_of_wcag(theme: int) -> None:
    paper = INKS["paper"][theme]
    assert all(contrast(INKS[name][theme], paper) >= 4.5 for name in ("ink", "muted"))
    assert all(contrast(colours[theme], paper) >= 3 for colours in [*COLOURS, INKS["axis"]])


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("eyes", EYES)
def test_colours_differ_for_all_eyes(theme: int, eyes: str) -> None:
    seen = [oklab(EYES[eyes] @ linear(colours[theme])) for colours in COLOURS]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 11


def test_styles_differ_by_shape_where_they_have_the_same_colour() -> None:
    looks = {(colour_class(n), outline(n), is_open(n, 0)) for n in range(84)}
    assert len(looks) == 84
    for n in range(84 - len(COLOURS)):
        assert (outline(n), is_open(n, 0)) != (outline(n + len(COLOURS)), is_open(n + len(COLOURS), 0))
    assert len({(outline(n), is_open(n, 0)) for n in range(12)}) == 12
    assert len({(colour_class(n), hatch_number(n)) for n in range(49)}) == 49


def test_variants_differ_by_dash() -> None:
    assert len({variant_class(n) for n in range(len(DASHES))}) == len({*DASHES}) == len(DASHES)


def test_known_frameworks_keep_their_styles() -> None:
    assert styles_of(["zoo", "jax"])["jax"] == styles_of([])["jax"] == 2
    assert styles_of(["zoo", "jax", "zoo", "den"])["zoo"] == 7
    assert len({*styles_of(["zoo", "den"]).values()}) == len(styles_of([])) + 2


def test_the_frameworks_of_the_published_reports_differ_from_todays_by_colour_and_shape() -> None:
    styles = [styles_of([])[name] for name in ("pytorch", "tensorflow", "jax", "theano", "caffe", "caffe2")]
    assert len({colour_class(style) for style in styles}) == len(styles)
    assert len({(outline(style), is_open(style, 0)) for style in styles}) == len(styles)


def test_the_css_defines_every_variable_and_class_that_it_uses() -> None:
    css = stylesheet()
    assert {*re.findall(r"var\((--[\w-]+)\)", css)} == {*re.findall(r"(--[\w-]+):", css)}
    assert all(f".{colour_class(n)}{{" in css for n in range(len(COLOURS)))
    assert "var(" not in literal_stylesheet() and "<" not in literal_stylesheet()


def test_texts_of_the_narrowest_chart_have_11_pixels() -> None:
    assert SIZE * NARROWEST / WIDTH >= 11
