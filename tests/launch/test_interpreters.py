"""Which command starts Python for a framework, in which environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.launch.interpreters import Interpreter, Interpreters, find_environments, parse_interpreter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pytorch=/opt/torch/bin/python", Interpreter("default", "pytorch", ("/opt/torch/bin/python",))),
        ("base/pytorch=python3", Interpreter("base", "pytorch", ("python3",))),
        ("base/*=python3", Interpreter("base", "*", ("python3",))),
        (
            "tensorflow=docker run -i -e A=b/c 'my image' python",
            Interpreter("default", "tensorflow", ("docker", "run", "-i", "-e", "A=b/c", "my image", "python")),
        ),
    ],
)
def test_reads_environment_name_and_command(text: str, expected: Interpreter) -> None:
    assert parse_interpreter(text) == expected


@pytest.mark.parametrize(
    "text", ["", "pytorch", "pytorch=", "=python", "/pytorch=python", "a/b/c=python", "a b=python"]
)
def test_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected \[ENVIRONMENT/\]NAME=COMMAND"):
        parse_interpreter(text)


def test_says_what_is_wrong_with_the_quotes() -> None:
    with pytest.raises(ValueError, match="cannot split the command of"):
        parse_interpreter("pytorch='python")


def test_the_default_environment_has_no_name() -> None:
    with pytest.raises(ValueError, match="'default' is what has no ENVIRONMENT/"):
        parse_interpreter("default/pytorch=/a")


def test_two_interpreters_for_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="two interpreters for pytorch in the environment 'head'"):
        Interpreters(map(parse_interpreter, ["head/pytorch=/a", "head/pytorch=/b"]))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        interpreter = parse_interpreter(text)
    except ValueError:
        return
    assert interpreter.command
    assert interpreter.name


def test_what_is_not_given_is_the_running_python() -> None:
    interpreters = Interpreters([parse_interpreter("pytorch=/a")])
    assert interpreters.environments == ("default",)
    assert interpreters.find("default", "pytorch").command == ("/a",)
    assert not interpreters.find("default", "pytorch").is_running
    assert interpreters.find("default", "tensorflow").is_running


def test_environments_keep_their_order_and_fall_back_on_what_has_none() -> None:
    interpreters = Interpreters(map(parse_interpreter, ["new/pytorch=/b", "old/pytorch=/a", "tensorflow=/c"]))
    assert interpreters.environments == ("new", "old")
    assert interpreters.find("new", "pytorch").command == ("/b",)
    assert interpreters.find("old", "pytorch").command == ("/a",)
    assert interpreters.find("old", "tensorflow").command == ("/c",)


def test_one_for_every_framework_stands_in_within_its_environment() -> None:
    given = ["base/*=/b", "head/*=/h", "head/pytorch=/p", "theano=/t", "*=/d"]
    interpreters = Interpreters(map(parse_interpreter, given))
    assert interpreters.environments == ("base", "head")
    assert interpreters.find("base", "pytorch") == Interpreter("base", "pytorch", ("/b",))
    assert interpreters.find("head", "pytorch").command == ("/p",)
    assert interpreters.find("head", "theano").command == ("/h",)
    assert interpreters.find("default", "theano").command == ("/t",)
    assert interpreters.find("default", "jax").command == ("/d",)
    with pytest.raises(ValueError, match="two interpreters for every framework in the environment 'base'"):
        Interpreters(map(parse_interpreter, ["base/*=/a", "base/*=/b"]))


@pytest.mark.parametrize("command", [(sys.executable,), (sys.executable, "-X", "utf8")])
def test_finds_what_is_installed_without_importing_it(command: tuple[str, ...]) -> None:
    interpreter = Interpreter("default", "pytorch", command)
    assert interpreter.installed(["this", "antigravity", "no_such_module"]) == {"this", "antigravity"}
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("command", [("/no/such/python",), ("false",), ("echo", "nonsense")])
def test_an_interpreter_that_cannot_be_asked_is_taken_to_have_all(command: tuple[str, ...]) -> None:
    assert Interpreter("default", "pytorch", command).installed(["torch"]) == {"torch"}


def test_a_shell_script_is_a_command_too(tmp_path: Path) -> None:
    script = tmp_path / "python wrapper"
    script.write_text(f'#!/bin/sh\necho welcome\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    assert Interpreter("default", "pytorch", (str(script),)).installed(["this", "nothing_here"]) == {"this"}


def environment(folder: Path, name: str, python: str = "#!/bin/sh\n") -> Path:
    """Make an environment as ``nox -s env-NAME`` does, whose Python is a script."""
    path = folder / f".nox/env-{name}/bin/python"
    path.parent.mkdir(parents=True)
    path.write_text(python)
    path.chmod(0o755)
    return path


def test_finds_environments_below_a_folder(tmp_path: Path) -> None:
    assert find_environments(tmp_path) == []
    theano, caffe = environment(tmp_path, "theano"), environment(tmp_path, "caffe")
    environment(tmp_path, "not a name")
    environment(tmp_path, "not-executable").chmod(0o644)
    (tmp_path / ".nox/env-empty").mkdir()
    (tmp_path / ".nox/env-broken/bin").mkdir(parents=True)
    (tmp_path / ".nox/env-broken/bin/python").symlink_to("/no/such/python")
    (tmp_path / ".nox/tests/bin").mkdir(parents=True)
    assert find_environments(tmp_path) == [
        Interpreter("default", "caffe", (str(caffe),)),
        Interpreter("default", "theano", (str(theano),)),
    ]


def test_what_is_given_is_taken_first_and_what_is_found_second() -> None:
    found = [Interpreter("default", name, (f"/{name}",)) for name in ("caffe", "theano")]
    interpreters = Interpreters(map(parse_interpreter, ["theano=/mine", "old/theano=/a", "new/theano=/b"]), found)
    assert interpreters.environments == ("old", "new")
    assert interpreters.find("old", "theano").command == ("/a",)
    assert interpreters.find("default", "theano").command == ("/mine",)
    for environment in ("default", "old", "new"):
        assert interpreters.find(environment, "caffe").command == ("/caffe",)
        assert interpreters.find(environment, "pytorch").is_running
    assert interpreters.found == (found[0],)
    assert interpreters.commands["default/caffe"] == "/caffe"
    assert interpreters.commands["default/theano"] == "/mine"
