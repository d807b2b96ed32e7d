"""Charts as SVG and PNG files."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Section
from pytest_throughput.report.charts.files import FiguresError, write_charts

CHART = BarChart("training, cpu", "JAX is fastest", Axis("images/s"), (Bar("../jax", (BarPart("jax", 2, 10.0),)),))
SECTIONS = [Section("best", "Best", (CHART, CHART)), Section("notes", "Notes"), Section("devices", "Devices", (CHART,))]


def test_svg_files_are_named_by_section_and_need_no_page(tmp_path: Path) -> None:
    files = write_charts(SECTIONS, tmp_path / "new" / "figures", "svg")
    assert [file.name for file in files] == ["best-1.svg", "best-2.svg", "devices-1.svg"]
    assert sorted(files) == sorted((tmp_path / "new" / "figures").iterdir())  # No temporary file is left.
    text = files[0].read_text(encoding="utf-8")
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="572"') and "JAX is fastest" in text
    assert "fill:#ffffff" in text and "var(" not in text


def test_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "best-1.svg").write_text("old")
    write_charts(SECTIONS[:1], tmp_path, "svg")
    assert (tmp_path / "best-1.svg").read_text(encoding="utf-8").startswith("<svg")


def test_png_has_two_pixels_for_each_unit(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg_py is not installed: pip install 'pytest-throughput[figures]'")
    (file,) = write_charts(SECTIONS[2:], tmp_path, "png")
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", content[16:20]) == (2 * 572,)


def test_png_without_its_library_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(FiguresError, match=r"--png: resvg_py .*pytest-throughput\[figures\].*--svg DIR"):
        write_charts(SECTIONS, tmp_path / "figures", "png")
    assert not (tmp_path / "figures").exists()


def test_png_without_a_font_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resvg_py = pytest.importorskip("resvg_py")
    rendered = resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **given: rendered(**given, skip_system_fonts=True))
    with pytest.raises(FiguresError, match=r"no font.*fonts-dejavu-core"):
        write_charts(SECTIONS, tmp_path, "png")
