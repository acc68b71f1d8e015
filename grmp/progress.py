"""Progress of long computations, one plain line every few seconds: widgets and bars do not survive papermill."""

import time
from collections.abc import Iterator

# Lines that start so are for the terminal alone: the runner leaves them out of the executed notebook, whose bytes would
# otherwise change with every run.
MARK = "   … "


class Progress:
    """Prints lines such as `   … fine-tune full@50  step 12/40  loss 0.531  18.2 images/s  0:34 left`.

    Args:
        title: what is under way.
        total: number of steps, at least 1.
        unit: what `items` counts.
        every: fewest seconds between two lines; the first and the last step are always told, rate and time left from
            the second step on.
    """

    def __init__(self, title: str, total: int, unit: str = "images", every: float = 4.0) -> None:
        if total < 1:
            raise ValueError(f"total must be at least 1, not {total}")
        self.title, self.total, self.unit, self.every = title, total, unit, every
        self._items = 0
        self._started = time.monotonic()
        self._told: float | None = None

    def update(self, step: int, items: int = 0, **values: float) -> None:
        """Note that `step` of the total are done, and `items` more items with them; report it if it is time.

        Args:
            step: steps done so far, counted from 1.
            items: items handled since the last update; their rate is over the whole time.
            values: numbers to show, each under its name.
        """
        self._items += items
        now = time.monotonic()
        if self._told is None or step >= self.total or now - self._told >= self.every:
            self._told = now
            print(MARK + "  ".join(self._parts(step, now - self._started, values)), flush=True)

    def _parts(self, step: int, seconds: float, values: dict[str, float]) -> Iterator[str]:
        yield self.title
        yield f"step {step}/{self.total}"
        yield from (f"{name} {_number(value)}" for name, value in values.items())
        if step < 2 < self.total:  # much of the first step's time is what a start takes
            return
        if self._items and seconds > 0:
            yield f"{_number(self._items / seconds)} {self.unit}/s"
        left = seconds / step * (self.total - step)
        yield f"{clock(left)} left" if step < self.total else f"took {clock(seconds)}"


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour up."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _number(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")
