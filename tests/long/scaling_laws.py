"""How time and memory grow with the study: constants fitted at small sizes, checked at a larger one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scaling_runs import (
    in_fresh_process,
    time_cluster,
    time_distortions,
    time_dvc,
    time_features,
    time_folder,
    time_repeat,
)

Size = tuple[int, ...]


@dataclass(frozen=True)
class Law:
    """What a quantity is thought to be: constants times terms, which depend on the size.

    `sizes` are those that the constants are fitted at, and last the one at which they are checked; `far` is that of a
    grid of 10,000 cells, or of a target of a million images.
    """

    name: str
    formula: str
    unit: str
    terms: Callable[..., list[float]]
    sizes: tuple[Size, ...]
    far: Size

    def fit(self, values: list[float]) -> np.ndarray:
        """The constants, of the values at all sizes but the last, by least squares of the relative errors."""
        terms = np.array([self.terms(*size) for size in self.sizes[:-1]], float)
        scale = np.array(values[:-1])
        return np.linalg.lstsq(terms / scale[:, None], np.ones(len(scale)), rcond=None)[0]

    def row(self, values: list[float]) -> dict[str, Any]:
        """The check, as a row of the table."""
        constants = self.fit(values)
        predicted, far = (float(constants @ self.terms(*size)) for size in (self.sizes[-1], self.far))
        return {
            "quantity": self.name,
            "model": self.formula,
            "constants": ", ".join(f"{letter} = {value:.3g}" for letter, value in zip("abc", constants)),
            "fitted at": "; ".join(" x ".join(map(str, size)) for size in self.sizes[:-1]),
            "checked at": " x ".join(map(str, self.sizes[-1])),
            "predicted": f"{predicted:.3g} {self.unit}",
            "measured": f"{values[-1]:.3g} {self.unit}",
            "measured / predicted": f"{values[-1] / predicted:.2f}",
            "carried to": f"{' x '.join(map(str, self.far))}: {far:,.3g} {self.unit}",
        }


CROPS = ((32,), (64,), (160,))
REPEAT = ((20, 1, 200), (80, 1, 200), (20, 1, 1000), (100, 2, 1200))
STAGES = ((8,), (16,), (32,), (64,))


def linear(size: float, *_: float) -> list[float]:
    """A part that is always there, and one that grows with the size."""
    return [1, size]


def parabola(size: float) -> list[float]:
    """As `linear`, and a part that grows with the size's square."""
    return [1, size, size**2]


def laws() -> Iterator[tuple[list[Law], Callable[[tuple[Size, ...]], list[tuple[float, ...]]]]]:
    """What is measured together, and how: a function of the sizes that gives, for each, a value for every law."""
    yield (
        [
            Law("frozen features", "a + b crops", "s", linear, CROPS, (2_000_000,)),
            Law("their peak memory", "a + b crops", "GB", linear, CROPS, (2_000_000,)),
        ],
        lambda sizes: in_fresh_process(time_features, sizes),
    )
    yield (
        [
            Law(
                "one repeat (steps x evaluations x test images)",
                "a + b steps + c evaluations images",
                "s",
                lambda steps, evaluations, images: [1, steps, evaluations * images],
                REPEAT,
                (20, 4, 200_000),
            ),
            Law("its peak memory", "a + b images", "GB", lambda _, __, images: [1, images], REPEAT, (20, 4, 1_000_000)),
        ],
        lambda sizes: in_fresh_process(time_repeat, sizes),
    )
    yield (
        [Law("distorted images", "a images", "s", lambda images: [images], ((25,), (100,)), (1_000_000,))],
        lambda sizes: in_fresh_process(time_distortions, sizes),
    )
    yield (
        [
            Law("`dvc repro`, empty cells", "a + b cells + c cells^2", "s", parabola, STAGES, (10_000,)),
            Law("`dvc status`", "a + b cells", "s", linear, STAGES, (10_000,)),
            Law("dvc.lock", "a cells", "MB", lambda cells: [cells], STAGES, (10_000,)),
        ],
        lambda sizes: [time_dvc(*size) for size in sizes],
    )
    files = Law("`dvc repro`, files of 16 cells", "a files", "s", lambda _, n: [n], ((16, 1), (64, 4)), (10_000, 625))
    yield [files], lambda sizes: [time_dvc(*size) for size in sizes]
    many = ((500,), (2000,), (6000,))
    yield (
        [Law("`dvc add` of a folder", "a + b files", "s", linear, many, (1_000_000,))],
        lambda sizes: [time_folder(*size) for size in sizes],
    )
    clustered = ((500,), (1000,), (4000,))
    yield (
        [Law("Ray: pieces that do nothing", "a + b pieces", "s", linear, clustered, (1_000_000,))],
        lambda sizes: [time_cluster(*size) for size in sizes],
    )
