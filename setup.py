"""List the packages of the distribution, since pyproject.toml cannot list packages in several folders."""

from __future__ import annotations

from setuptools import find_packages, setup

FOLDERS = {name: f"{root}/{name.replace('.', '/')}" for root in ("plugins", "fixtures") for name in find_packages(root)}
FOLDERS["pytest_throughput_bench"] = "bench"

setup(packages=[*FOLDERS], package_dir=FOLDERS)
