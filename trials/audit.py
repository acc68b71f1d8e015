"""What the study stands on: known vulnerabilities, licences, hashes. `make audit` runs it.

It judges the environment and the photographs, no experiment needs it, so it is no part of the library. Exit status 1 if
anything is wrong; a vulnerability database that cannot be reached is said, and is not an error.
"""

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trials.auditing.integrity import changed_files, compare, local_changes, read_pins, unclaimed_files
from trials.auditing.licences import judge, weights, wrong_photographs

ROOT = Path(__file__).parents[1]
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


def licences(installed: list[Distribution]) -> tuple[Finding, Table]:
    """Every package with its licence."""
    found = [weights(), *(judge(distribution) for distribution in installed)]
    table = Table("package", "version", "licence", "remark", title="licences")
    for one in sorted(found, key=lambda one: one.package):
        table.add_row(one.package, one.version, one.expression or "unknown", one.remark)
    wrong = [
        f"{one.package}: `{one.expression or 'no licence'}` is not acceptable" for one in found if not one.acceptable
    ]
    remarks = sum(bool(one.remark) for one in found)
    return Finding("licences", f"{len(found)} packages, {remarks} with a remark", wrong), table


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


def main() -> None:
    """Print the tables and one closing line."""
    console = Console(width=150)
    installed = list(distributions(path=[sysconfig.get_path("purelib")]))
    judged, table = licences(installed)
    findings = [vulnerabilities(REQUIREMENTS), judged, hashes(installed), photographs()]
    summary = Table("part", "verdict", "what", title="audit")
    for finding in findings:
        summary.add_row(finding.part, finding.verdict, finding.summary)
    console.print(table, summary)
    for line in [line for finding in findings for line in finding.wrong]:
        print(f"wrong: {line}")
    for line in [line for finding in findings for line in finding.remarks]:
        print(f"remark: {line}")
    print("audit: " + ", ".join(f"{finding.part} {finding.verdict}" for finding in findings))
    sys.exit(any(finding.wrong for finding in findings))


if __name__ == "__main__":
    main()
