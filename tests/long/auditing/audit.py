"""What the study stands on: known vulnerabilities, licences, hashes.

A vulnerability database that cannot be reached is said, and is not an error.
"""

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from auditing.integrity import changed_files, compare, local_changes, read_pins, unclaimed_files
from auditing.licences import judge, weights, wrong_photographs

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements.txt"
TOOL = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]


@dataclass(frozen=True)
class Finding:
    """One part of the audit: what it says in a line, what is wrong, whether it was checked, remarks."""

    part: str
    summary: str
    wrong: list[str]
    checked: bool = True
    remarks: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """One of three words."""
        return "wrong" if self.wrong else "ok" if self.checked else "not checked"


def vulnerabilities(requirements: Path) -> Finding:
    """Ask PyPI's database of advisories, through pip-audit, about every pinned version."""
    done = subprocess.run([*TOOL, "-r", requirements, "-f", "json"], capture_output=True, text=True, check=False)
    try:
        entries = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return Finding("vulnerabilities", f"the database cannot be reached ({last[:120]})", [], checked=False)
    known = [entry for entry in entries if "vulns" in entry]
    wrong = [
        f"{entry['name']} {entry['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version'}"
        for entry in known
        for one in entry["vulns"]
    ]
    return Finding(
        "vulnerabilities", f"{len(known)} of {len(entries)} packages are in the database", wrong, bool(known)
    )


def licences(installed: list[Distribution]) -> Finding:
    """Every package with its licence."""
    found = [weights(), *(judge(distribution) for distribution in installed)]
    wrong = [
        f"{one.package}: `{one.expression or 'no licence'}` is not acceptable" for one in found if not one.acceptable
    ]
    remarks = sum(bool(one.remark) for one in found)
    return Finding("licences", f"{len(found)} packages, {remarks} with a remark", wrong)


def hashes(installed: list[Distribution]) -> Finding:
    """What is pinned against what is installed, and that against its recorded hashes."""
    pins, wrong = read_pins(REQUIREMENTS)
    wrong += compare(pins, installed)
    counts = [changed_files(distribution) for distribution in installed]
    changed = [line for _, lines in counts for line in lines]
    local = local_changes(changed)
    wrong += [line for line in changed if line not in local]
    wrong += unclaimed_files(Path(sysconfig.get_path("purelib")), installed)
    files = sum(count for count, _ in counts)
    return Finding(
        "hashes", f"{len(pins)} packages pinned with hashes, {files} installed files compared", wrong, remarks=local
    )


def photographs() -> Finding:
    """The photographs' licences against their card."""
    folder = ROOT / "assets/photos"
    count = len(list((folder / "images").iterdir()))
    return Finding("photographs", f"{count} images against photos.csv, CARD.md, LICENSES/", wrong_photographs(folder))


def findings() -> list[Finding]:
    """Every part of the audit."""
    installed = list(distributions(path=[sysconfig.get_path("purelib")]))
    return [vulnerabilities(REQUIREMENTS), licences(installed), hashes(installed), photographs()]
