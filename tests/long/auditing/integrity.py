"""Whether what is installed is what requirements.txt pins, byte by byte."""

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackagePath
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
OWN = "grmp"  # installed from this checkout
RUNS = (".py", ".pth", ".so")  # what Python may execute
OF_THE_MACHINE = ("certifi/cacert.pem",)
"""Files that a machine's administrator may change, such as to add a root certificate; told, but not wrong."""


def read_pins(path: Path) -> tuple[dict[str, Requirement], list[str]]:
    """The pinned packages of a requirements file that apply here, and what is wrong with its lines."""
    pins, wrong = {}, []
    text = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        words = line.split(" --hash=")[0].strip()
        if line.startswith("-"):
            wrong.append(f"{path.name}: {line.split('=')[0].split()[0]} is an option, not a package")
            continue
        requirement = Requirement(words)
        if [clause.operator for clause in requirement.specifier] != ["=="] or requirement.url or "*" in words:
            wrong.append(f"{requirement.name}: is not pinned with ==")
        if not SHA256.search(line):
            wrong.append(f"{requirement.name}: has no sha256")
        if requirement.marker is None or requirement.marker.evaluate():
            pins[canonicalize_name(requirement.name)] = requirement
    return pins, wrong


def compare(pins: dict[str, Requirement], installed: Iterable[Distribution]) -> list[str]:
    """Packages that are missing, too many, or of another version than the pinned one."""
    found = {canonicalize_name(distribution.name): distribution.version for distribution in installed}
    wrong = [f"{name}: pinned, but not installed" for name in sorted(pins.keys() - found.keys())]
    for name, version in sorted(found.items()):
        if name not in pins and name != OWN:
            wrong.append(f"{name} {version}: installed, but not in requirements.txt")
        elif name in pins and not pins[name].specifier.contains(version, prereleases=True):
            wrong.append(f"{name} {version}: installed, but {pins[name]} is pinned")
    return wrong


def changed_files(distribution: Distribution) -> tuple[int, list[str]]:
    """How many files of a package were compared with its RECORD, and which are missing or not those it recorded."""
    files = [file for file in distribution.files or [] if file.hash]
    wrong = [f"{distribution.name}: {file}: {what}" for file in files if (what := _difference(file))]
    return len(files), wrong if files else [f"{distribution.name}: records no hashes"]


def local_changes(lines: list[str]) -> list[str]:
    """Those of the lines of `changed_files` that tell of a file in `OF_THE_MACHINE`."""
    return [line for line in lines if any(f" {name}: " in line for name in OF_THE_MACHINE)]


def _difference(file: PackagePath) -> str:
    try:
        with Path(file.locate()).open("rb") as stream:
            digest = hashlib.file_digest(stream, file.hash.mode).digest()
    except OSError:
        return "missing"
    found = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return "" if found == file.hash.value else "is not the recorded one"


def unclaimed_files(folder: Path, installed: Iterable[Distribution]) -> list[str]:
    """Files below `folder` that Python may execute and that no package has recorded."""
    claimed = {Path(file.locate()).resolve() for distribution in installed for file in distribution.files or []}
    found = (path for path in sorted(folder.rglob("*")) if path.suffix in RUNS and path.is_file())
    return [f"{path.relative_to(folder)}: belongs to no package" for path in found if path.resolve() not in claimed]
