"""Progress of a loop over images."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from grmp.progress import Progress

Item = TypeVar("Item")


def track(iterable: Iterable[Item], title: str, total: int | None = None, unit: str = "images") -> Iterator[Item]:
    """Yield the items of `iterable` and report how many are done; `total` may be left out where len() knows it."""
    if total is None:
        if not isinstance(iterable, Sized):
            raise TypeError("total must be given for an iterable without a length")
        total = len(iterable)
    progress = Progress(title, max(total, 1), unit)
    for step, item in enumerate(iterable, start=1):
        yield item
        progress.update(step, items=1)
