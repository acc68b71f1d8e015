"""Licences of the packages that are installed, of the weights, and of the photographs: listed and judged."""

import re
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

import pandas as pd
from license_expression import AND, OR, ExpressionError, get_spdx_licensing
from packaging.utils import canonicalize_name

from study.data.onnx_tower import LICENCE, PACKAGE, VERSION

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0"),
    *("HPND", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "ZPL-2.1", "Apache-2.0 WITH LLVM-exception"),
    "LicenseRef-Public-Domain",
}
WEAK = {"MPL-2.0", "EPL-1.0", "EPL-2.0", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"}
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
REMARKS = {
    "weak": "weak copyleft: binds changes to its own files",
    "nvidia": "NVIDIA's own terms: free to use, not ours to pass on",
}

# What packages write that is no SPDX expression, in lower case without the word `license`.
WORDS = {
    **dict.fromkeys(("mit", "mit software"), "MIT"),
    **dict.fromkeys(("apache", "apache 2.0", "apache, version 2.0", "apache software", "apache 2"), "Apache-2.0"),
    # Unnumbered, as in PyPI's classifier; both that it can mean are permissive.
    **dict.fromkeys(("bsd", "new bsd", "bsd 3-clause", "3-clause bsd"), "BSD-3-Clause"),
    **dict.fromkeys(("bsd 2-clause", "2-clause bsd"), "BSD-2-Clause"),
    **dict.fromkeys(("isc", "isc (iscl)"), "ISC"),
    **dict.fromkeys(("psfl", "python software foundation"), "PSF-2.0"),
    **dict.fromkeys(("mozilla public 2.0 (mpl 2.0)", "mpl 2.0"), "MPL-2.0"),
    "public domain": "LicenseRef-Public-Domain",
    "nvidia proprietary software": NVIDIA,
    "zope public": "ZPL-2.1",
}
# Packages whose metadata do not say it in words that a program can read; each was looked up in its own files.
REVIEWED = {
    "cuda-toolkit": (NVIDIA, "an empty package that names NVIDIA's others"),
    "grandalf": ("EPL-1.0", "GPLv2 or EPLv1, as its licence file says; taken under the latter"),
    "pygit2": ("GPL-2.0-only WITH GCC-exception-2.0", "linking exception: what merely uses it is free"),
}
PICTURES = {"CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "MIT", "BSD-3-Clause"} | {
    *("LicenseRef-Public-Domain", "GPL-2.0-or-later", "GPL-3.0-or-later", "LGPL-3.0-only"),
}
_SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Licence:
    """Of one package: its licence as an SPDX expression (empty where unknown), whether that will do, and a remark."""

    package: str
    version: str
    expression: str
    acceptable: bool
    remark: str = ""


def stated(distribution: Distribution) -> str:
    """The licence in a package's metadata as an SPDX expression; its own words where they are none; or nothing."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License")
    ]
    lines = (metadata.get("License") or "").strip().splitlines() or [""]
    for words in (lines[0] if len(lines) == 1 else "", " AND ".join(c for c in classifiers if c != "OSI Approved")):
        if words and words not in ("UNKNOWN", "Dual License"):
            return " AND ".join(as_spdx(part) for part in words.split(" AND "))
    return as_spdx(lines[0])


def as_spdx(words: str) -> str:
    """What a package calls its licence, by its SPDX name where it is a usual one."""
    bare = " ".join(re.sub(r"\blicense\b|[\"']", "", words, flags=re.IGNORECASE).lower().replace(" ,", ",").split())
    return WORDS.get(bare, words)


def kinds(expression: str) -> set[str]:
    """Which kinds of licence bind under an expression: `permissive`, `weak`, `nvidia`, `other`.

    Where there is a choice, the one that binds least is taken.
    """
    try:
        return _kinds(_SPDX.parse(expression))
    except ExpressionError:
        return {"other"}


def _kinds(node: object) -> set[str]:
    if isinstance(node, AND):
        return set().union(*(_kinds(part) for part in node.args))
    if isinstance(node, OR):
        return min((_kinds(part) for part in node.args), key=_burden)
    name = str(node)
    if name in PERMISSIVE:
        return {"permissive"}
    return {"weak"} if name in WEAK else {"nvidia"} if name == NVIDIA else {"other"}


def _burden(found: set[str]) -> tuple[bool, bool, bool]:
    return "other" in found, "nvidia" in found, "weak" in found


def judge(distribution: Distribution) -> Licence:
    """The licence of one package, and whether it is acceptable."""
    name = canonicalize_name(distribution.name)
    if name in REVIEWED:
        return Licence(name, distribution.version, REVIEWED[name][0], True, f"reviewed: {REVIEWED[name][1]}")
    expression = stated(distribution)
    found = kinds(expression) if expression else {"other"}
    remark = "; ".join(REMARKS[kind] for kind in sorted(found & REMARKS.keys()))
    return Licence(name, distribution.version, expression, "other" not in found, remark or "")


def weights() -> Licence:
    """The package that carries the image tower: read as data, never installed."""
    return Licence(
        PACKAGE, VERSION, LICENCE, LICENCE in PERMISSIVE, "the image tower's weights; never installed or run"
    )


def wrong_photographs(folder: Path) -> list[str]:
    """Where `photos.csv`, `CARD.md`, `LICENSES/` and the images contradict each other, one line each."""
    table = pd.read_csv(folder / "photos.csv", dtype=str, keep_default_na=False).set_index("file")
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    on_card = _groups(card)
    images = {path.name for path in (folder / "images").iterdir()}
    wrong = [f"{name}: not in photos.csv" for name in sorted(images - set(table.index))]
    for name, row in table.iterrows():
        told = (row["licence"], row["source_package"], row["package_version"])
        if name not in images:
            wrong.append(f"{name}: no such image")
        if on_card.get(Path(name).stem) != told:
            wrong.append(f"{name}: photos.csv says {told}, CARD.md {on_card.get(Path(name).stem)}")
        if row["licence"] not in PICTURES:
            wrong.append(f"{name}: {row['licence']} is no licence that this set accepts")
        if row["licence"].startswith("CC-BY") and not _credited(card, Path(name).stem, row["licence"]):
            wrong.append(f"{name}: {row['licence']} asks for a credit, and CARD.md gives none")
        if not _has_licence_file(folder / "LICENSES", row["source_package"]):
            wrong.append(f"{name}: LICENSES/ has no file of {row['source_package']}")
    return wrong


def _groups(card: str) -> dict[str, tuple[str, str, str]]:
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (\S+) \| (.+?) \|$", card, flags=re.MULTILINE)
    return {
        photo: (licence, package, version) for licence, package, version, photos in rows for photo in photos.split(", ")
    }


def _credited(card: str, photo: str, licence: str) -> bool:
    return any(re.search(rf"^- .+, {licence}: (.*, )?{photo}(,|$)", line) for line in card.splitlines())


def _has_licence_file(folder: Path, package: str) -> bool:
    name = package.split(" ")[0]
    short = name.removeprefix("python3-").removesuffix("-workspace-wallpapers").removesuffix("-data")
    return any(path.name.startswith((name, short)) for path in folder.iterdir())
