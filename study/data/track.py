"""Progress of a loop over images."""

from collections.abc import Collection, Iterator
from typing import TypeVar

from grmp.progress import Progress

Item = TypeVar("Item")


def track(items: Collection[Item], title: str, unit: str = "images") -> Iterator[Item]:
    """Yield the `items` and report how many are done."""
    progress = Progress(title, max(len(items), 1), unit)
    for step, item in enumerate(items, start=1):
        yield item
        progress.update(step, items=1)
