"""Make a Python with BVLC Caffe 1.0 of Debian 11's packages, without root: ``python environments/caffe.py FOLDER``.

Debian 11 (bullseye) is the last release that has Caffe. APT downloads its package and everything that it depends on
into the folder, checked by the signatures of Debian's keyring; nothing is installed into the system. The packages are
unpacked, and ``FOLDER/bin/python`` starts their Python by their own loader, with their own C library. The next call
continues an interrupted one, and leaves a finished environment as it is.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["Missing", "build"]

RELEASE = "bullseye"
ARCHITECTURE = "amd64"
LIBRARIES = "x86_64-linux-gnu"
# Without OpenBLAS, APT may choose the reference BLAS, which is many times slower.
PACKAGES = ("python3-caffe", "libopenblas0-pthread")
PUBLIC_MIRRORS = ("http://deb.debian.org/debian/", "http://archive.debian.org/debian/")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Missing(Exception):
    """An ingredient of the environment is not to be had here."""


def build(folder: Path) -> Path:
    """Return the environment's Python, which is made if there is none. Raise `Missing`."""
    python = folder / "bin" / "python"
    if not python.exists():
        require_system()
        root = folder / "root"
        if not root.exists():
            unpack(download(folder / "apt"), root)
        launcher = write_launcher(root, python)
        require_caffe(launcher)
        # It has its name only when the environment is complete.
        launcher.replace(python)
        shutil.rmtree(folder / "apt", ignore_errors=True)
    require_caffe(python)
    return python


def require_system() -> None:
    """Raise `Missing` if this system cannot download Debian's packages, check their signatures, or run them."""
    for program in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Missing(f"there is no {program}, which Debian and Ubuntu have, on the path")
    architecture = output_of("dpkg", "--print-architecture").strip()
    if architecture != ARCHITECTURE:
        raise Missing(f"this system has packages for {architecture}, and the environment is made for {ARCHITECTURE}")
    if not KEYRING.exists():
        raise Missing(f"there is no {KEYRING} to check signatures with: apt-get install debian-archive-keyring")


def download(folder: Path) -> list[Path]:
    """Return the packages, downloaded from the first mirror that has them. Raise `Missing` if none has."""
    mirrors = known_mirrors()
    for mirror in mirrors:
        configuration = write_configuration(folder, mirror)
        install = ("install", "--yes", "--download-only", "--no-install-recommends", *PACKAGES)
        # APT itself says what it lacks, and continues downloads that were interrupted.
        if run_apt(configuration, "update") and run_apt(configuration, *install):
            return sorted((folder / "cache/archives").glob("*.deb"))
    raise Missing(f"no mirror gives {' and '.join(PACKAGES)} of Debian {RELEASE} (see above): {', '.join(mirrors)}")


def known_mirrors() -> Sequence[str]:
    """Return the addresses that APT uses on this machine, without those of security updates, and the public ones."""
    found = output_of("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    return [*dict.fromkeys([*(address for address in found if "security" not in address), *PUBLIC_MIRRORS])]


def write_configuration(folder: Path, mirror: str) -> Path:
    """Return a configuration with which APT keeps everything in the folder, and knows one release of one mirror.

    What the system's own configuration says of proxies and passwords stays. Its hooks are not run.
    """
    for name in ("state/lists/partial", "state/dpkg", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # No package counts as installed. APT takes its lock beside this file.
    (folder / "state/dpkg/status").touch()
    options = f"arch={ARCHITECTURE} target=Packages signed-by={KEYRING}"
    (folder / "sources.list").write_text(f"deb [{options}] {mirror} {RELEASE} main\n")
    configuration = folder / "apt.conf"
    configuration.write_text(
        f"""\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{ARCHITECTURE}";
APT::Architectures {{ "{ARCHITECTURE}"; }};
APT::Default-Release "";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Retries "3";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/dpkg/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}";
"""
    )
    return configuration


def run_apt(configuration: Path, *arguments: str) -> bool:
    """Return whether APT succeeds."""
    command = ["apt-get", f"--config-file={configuration}", "--quiet", *arguments]
    return subprocess.run(command, check=False).returncode == 0


def unpack(packages: Iterable[Path], root: Path) -> None:
    """Unpack the packages into a folder, which has its name only when it is complete."""
    incomplete = root.with_name("root.incomplete")
    shutil.rmtree(incomplete, ignore_errors=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", str(package), str(incomplete)], check=True)
    incomplete.replace(root)


def write_launcher(root: Path, python: Path) -> Path:
    """Return a program, beside ``python``, that becomes the Python in the folder of packages."""
    libraries = [
        f"{root}/usr/lib/{LIBRARIES}/openblas-pthread",
        *(f"{root}/{each}" for each in (f"lib/{LIBRARIES}", f"usr/lib/{LIBRARIES}", "usr/lib", "lib")),
    ]
    loader = [f"{root}/lib/{LIBRARIES}/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path", ":".join(libraries)]
    # Python would take the folder of another version for its own, and packages of this user.
    lines = (
        "#!/bin/sh",
        "unset PYTHONHOME",
        "export PYTHONNOUSERSITE=1",
        f'exec {shlex.join([*loader, f"{root}/usr/bin/python3.9"])} "$@"',
    )
    launcher = python.with_name("python.incomplete")
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.write_text("\n".join(lines) + "\n")
    launcher.chmod(0o755)
    # A Python that starts itself again has to be started by the launcher again. Debian's file is a link into /etc.
    start = root / "usr/lib/python3.9/sitecustomize.py"
    start.unlink(missing_ok=True)
    start.write_text(f"import sys\n\nsys.executable = {str(python)!r}\n")
    return launcher


def require_caffe(python: Path) -> None:
    """Raise `Missing` if the Python does not start, or cannot import Caffe."""
    tried = subprocess.run([python, "-c", "import caffe"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        reason = (tried.stderr.strip() or f"exit status {tried.returncode}").splitlines()[-1]
        raise Missing(f"{python} cannot import caffe ({reason}): remove {python.parents[1]} and begin anew")


def output_of(*command: str) -> str:
    """Return what a command prints; nothing if it fails."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def main() -> int:
    """Build the environment, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder of the environment")
    try:
        python = build(parser.parse_args().folder.absolute())
    except Missing as missing:
        print(f"Caffe's environment cannot be made: {missing}", file=sys.stderr)
        return 1
    print(f"Caffe is ready: {python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
