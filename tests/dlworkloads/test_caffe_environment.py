"""How Caffe's environment is made, with programs that stand for APT, dpkg and the loader of the packages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dlworkloads.frameworks.caffe import environment as caffe

APT = """\
#!/bin/sh
here={here}
echo "$@" >> $here/calls
case "$*" in
indextargets*) echo "http://mirror.example/debian/ http://mirror.example/debian-security/"; exit 0 ;;
esac
folder=$(dirname "${{1#--config-file=}}")
grep -q "$(cat $here/serving)" "$folder/sources.list" || exit 100
case "$*" in
*install*) touch "$folder/cache/archives/python3-caffe.deb" "$folder/cache/archives/libopenblas0-pthread.deb" ;;
esac
"""
UNPACK = """\
#!/bin/sh
echo "$2" >> {here}/unpacked
mkdir -p "$3/usr/bin" "$3/usr/lib/python3.9" "$3/lib/x86_64-linux-gnu"
ln -sf /etc/python3.9/sitecustomize.py "$3/usr/lib/python3.9/sitecustomize.py"
printf '#!/bin/sh\\nshift 3\\nexec "$@"\\n' > "$3/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
cp {here}/python "$3/usr/bin/python3.9"
chmod +x "$3/usr/bin/python3.9" "$3/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
"""
PYTHON = '#!/bin/sh\nfor each in "$@"; do echo "<$each>"; done; echo "$PYTHONHOME,$PYTHONNOUSERSITE"\n'
BROKEN = "#!/bin/sh\necho 'ImportError: libblas.so.3: cannot open shared object file' >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program find programs and a keyring in the temporary folder."""
    programs = {"apt-get": APT, "dpkg-deb": UNPACK, "dpkg": "#!/bin/sh\necho amd64\n"}
    for name, text in programs.items():
        write_program(tmp_path / "bin" / name, text.format(here=tmp_path))
    (tmp_path / "serving").write_text("http://mirror.example/debian/ bullseye")
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "keyring.gpg").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(caffe, "KEYRING", tmp_path / "keyring.gpg")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_the_environment_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    python = caffe.build(folder)
    assert python == folder / "bin/python"
    assert sorted(each.name for each in folder.iterdir()) == ["bin", "root"]
    assert [each.name for each in (folder / "bin").iterdir()] == ["python"]
    start = (folder / "root/usr/lib/python3.9/sitecustomize.py").read_text()
    assert start == f"import sys\n\nsys.executable = '{python}'\n"
    calls = (tmp_path / "calls").read_text()
    assert len((tmp_path / "unpacked").read_text().splitlines()) == 2
    assert caffe.build(folder) == python
    assert (tmp_path / "calls").read_text() == calls


def test_the_launcher_passes_arguments_on_and_keeps_other_pythons_out(tmp_path: Path) -> None:
    python = caffe.build(tmp_path / "a folder")
    variables = {**os.environ, "PYTHONHOME": "/elsewhere"}
    ran = subprocess.run([python, "-c", "a b", ""], env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout == "<-c>\n<a b>\n<>\n,1\n"


def test_signatures_are_checked_with_debians_keyring_alone(tmp_path: Path) -> None:
    configuration = caffe.write_configuration(tmp_path, "http://mirror.example/debian/")
    (source,) = (tmp_path / "sources.list").read_text().splitlines()
    assert source == (
        f"deb [arch=amd64 target=Packages signed-by={tmp_path}/keyring.gpg] http://mirror.example/debian/ bullseye main"
    )
    assert "trusted" not in source
    assert "Unauthenticated" not in configuration.read_text()


@pytest.mark.parametrize("serving", ["http://deb.debian.org/debian/", "http://archive.debian.org/debian/"])
def test_the_machines_own_mirror_is_tried_before_the_public_ones(tmp_path: Path, serving: str) -> None:
    assert caffe.known_mirrors() == ["http://mirror.example/debian/", *caffe.PUBLIC_MIRRORS]
    (tmp_path / "serving").write_text(serving)
    assert caffe.build(tmp_path / "env").exists()


def test_a_release_that_no_mirror_has_is_named_and_the_next_call_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serving").write_text("nothing")
    monkeypatch.setattr("sys.argv", ["environment.py", str(tmp_path / "env")])
    assert caffe.main() == 1
    assert capsys.readouterr().err == (
        "Caffe's environment cannot be made: no mirror gives python3-caffe and libopenblas0-pthread of Debian bullseye "
        "(see above): http://mirror.example/debian/, http://deb.debian.org/debian/, http://archive.debian.org/debian/\n"
    )
    assert not (tmp_path / "env/bin").exists()
    (tmp_path / "serving").write_text("mirror.example")
    assert caffe.main() == 0
    assert capsys.readouterr().out == f"Caffe is ready: {tmp_path}/env/bin/python\n"


def test_a_caffe_that_cannot_be_imported_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "python").write_text(BROKEN)
    with pytest.raises(caffe.Missing, match=r"cannot import caffe \(ImportError: libblas.so.3: cannot open"):
        caffe.build(tmp_path / "env")
    assert not (tmp_path / "env/bin/python").exists()


def test_a_package_that_cannot_be_unpacked_ends_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance because the disk is full."""
    write_program(tmp_path / "bin/dpkg-deb", "#!/bin/sh\nexit 2\n")
    monkeypatch.setattr("sys.argv", ["environment.py", str(tmp_path / "env")])
    assert caffe.main() == 1
    assert "cannot be made: Command '['dpkg-deb', '--extract', " in capsys.readouterr().err
    assert not (tmp_path / "env/root").exists()


def test_what_the_system_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path / "bin/dpkg", "#!/bin/sh\necho arm64\n")
    with pytest.raises(caffe.Missing, match="packages for arm64, and the environment is made for amd64"):
        caffe.build(tmp_path / "env")
    write_program(tmp_path / "bin/dpkg", "#!/bin/sh\necho amd64\n")
    (tmp_path / "keyring.gpg").unlink()
    with pytest.raises(caffe.Missing, match="to check signatures with: apt-get install debian-archive-keyring"):
        caffe.build(tmp_path / "env")
    monkeypatch.setenv("PATH", "/no/such/folder")
    with pytest.raises(caffe.Missing, match="there is no apt-get, which Debian and Ubuntu have, on the path"):
        caffe.build(tmp_path / "env")
