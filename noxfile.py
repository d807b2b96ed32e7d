"""The environments of the project: ``nox -s bench``, ``nox -s tests``, ``nox -s lint``."""

from __future__ import annotations

import nox

# pip and venv come with Python; an installer that resolves on its own may choose other builds of PyTorch.
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

CONSTRAINTS = ("--constraint", "constraints.txt")
# TensorFlow's CPU build is a distribution of its own: the extra's `tensorflow` is several times as large.
FRAMEWORKS = (".[pytorch]", "tensorflow-cpu")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure PyTorch and TensorFlow; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, *FRAMEWORKS)
    session.run("pytest", "bench/", "--benchmark-json=run.json", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, *FRAMEWORKS, ".[dev]")
    session.run("pytest", *(session.posargs or ["-n", "2", "tests/"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and types, in an environment without the frameworks."""
    session.install(*CONSTRAINTS, ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
