"""A small human-rated set in the layout of `csv`: images, scores.csv and two splits."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

COUNT = 24
ROLES = ["train"] * 16 + ["val"] * 2 + ["test"] * 6


def make_rated_set(folder: Path) -> None:
    """Noisy images of a few sizes: the more noise, the lower the score."""
    (folder / "images").mkdir(parents=True)
    (folder / "splits").mkdir()
    generator, names = np.random.default_rng(0), [f"{number}.png" for number in range(COUNT)]
    for number, name in enumerate(names):
        noise = generator.normal(128, 4 * number, (48 + number, 60, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / "images" / name)
    scores = {"image": [f"images/{name}" for name in names], "mos": np.linspace(95, 5, COUNT)}
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    for split in (1, 2):
        roles = generator.permutation(ROLES)
        table = pd.DataFrame({"image": names, "role": roles, "scene": ["night", "plant"] * (COUNT // 2)})
        table.to_csv(folder / f"splits/{split:02}.csv", index=False)
