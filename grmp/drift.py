"""Whether a run's metrics are those that are committed: a fresh clone must get them again."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from grmp.errors import UserError, run_command

METRICS = ("reports/metrics.json", "reports/distort.json", "reports/backbone.json", "reports/pretrain.json")


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a JSON tree with its path, such as `full.50.srcc`."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, float(tree)


def drift(before: object, after: object) -> dict[str, float]:
    """Absolute difference of each number that both trees hold; infinite where only one does."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return {key: abs(old[key] - new[key]) if key in old and key in new else float("inf") for key in old | new}


def committed(path: str) -> object | None:
    """A JSON file as git's HEAD has it; None where it has none."""
    done = subprocess.run(["git", "show", f"HEAD:{path}"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def main(tolerance: Annotated[float, typer.Option(help="largest difference that is no failure")] = 0.02) -> None:
    """Compare reports/*.json with what is committed; exit status 1 where a metric differs by more than TOLERANCE."""
    for path in METRICS:
        before = committed(path)
        if before is None:
            typer.echo(f"{path}: not committed yet")
            continue
        differences = drift(before, json.loads(Path(path).read_text(encoding="utf-8")))
        worst = max(differences, key=differences.__getitem__)
        typer.echo(f"{path}: {len(differences)} numbers, largest difference {differences[worst]:.4f} ({worst})")
        if differences[worst] > tolerance:
            raise UserError(f"{path}: {worst} differs by {differences[worst]:.4f} from what is committed")


if __name__ == "__main__":
    run_command(main)
