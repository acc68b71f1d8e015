import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from grmp.errors import UserError
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from grmp.settings import Input
from study.data.labels import LabelMap
from study.data.pixels import resize_image
from study.playground.explore import PRETRAINED, UPLOADED_SIDE, Choice, Explorer, Labelled

NOISE = Choice("ramp", kind=11, level=4)


def png(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def asked() -> list[str]:
    """The models that were asked for, in order."""
    return []


@pytest.fixture
def explorer(model: PromptedCLIP, runtime: Runtime, asked: list[str]) -> Explorer:
    ramp = np.linspace(0, 255, 96 * 120 * 3).astype(np.uint8).reshape(96, 120, 3)
    manifest = pd.DataFrame({"image": ["a", "b", "c"], "score": [0.1, 0.2, 0.3]})
    embeddings = F.normalize(torch.randn(3, 16), dim=-1)

    def get() -> PromptedCLIP:
        asked.append(PRETRAINED)
        return model

    label_map = LabelMap([0.0, 1.0], [0.0, 0.9])
    pool = Labelled(Path(), manifest, embeddings)
    return Explorer(
        {"ramp": ramp}, {PRETRAINED: get}, pool, label_map, Input(views=((64, 1), ("native", 1)), crop=48), runtime
    )


def test_level_0_is_the_photograph_itself(explorer: Explorer) -> None:
    assert np.array_equal(explorer.image(NOISE.at(0)), explorer.photographs["ramp"])
    assert explorer.label(NOISE.at(0)) == pytest.approx(0.9, abs=1e-3)


def test_the_same_choice_gives_the_same_noise_and_leaves_the_photograph_alone(explorer: Explorer) -> None:
    before = explorer.photographs["ramp"].copy()
    assert np.array_equal(explorer.image(NOISE), explorer.image(NOISE))
    assert not np.array_equal(explorer.image(NOISE), before)
    assert np.array_equal(explorer.photographs["ramp"], before)


def test_the_first_crop_is_the_centre_of_what_is_shown(explorer: Explorer) -> None:
    shown = explorer.shown(NOISE)
    assert shown.shape == (64, 80, 3)
    crops = explorer.crops(PRETRAINED, NOISE)
    assert crops.shape == (2, 3, 48, 48)
    assert np.array_equal(crops[0].permute(1, 2, 0).numpy(), shown[8:56, 16:64])


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(resize_image(image, 40), image)


def test_a_view_is_computed_once(explorer: Explorer, asked: list[str]) -> None:
    first = explorer.view(PRETRAINED, NOISE)
    calls = len(asked)
    assert explorer.view(PRETRAINED, NOISE) is first
    assert len(asked) == calls
    assert explorer.view(PRETRAINED, NOISE.at(1)) is not first


def test_the_curves_hold_each_level_at_its_place(explorer: Explorer) -> None:
    qualities, labels = explorer.qualities(PRETRAINED, NOISE), explorer.labels(NOISE)
    assert qualities.shape == labels.shape == (6,)
    assert qualities[4] == explorer.view(PRETRAINED, NOISE).quality
    assert labels[4] == explorer.label(NOISE)
    assert (np.diff(labels) < 0).all()


def test_the_nearest_come_first_and_an_image_is_nearest_itself(explorer: Explorer) -> None:
    explorer.labelled.embeddings[1] = explorer.view(PRETRAINED, NOISE).embedding
    found = explorer.nearest(NOISE, 2)
    assert len(found) == 2
    assert found.iloc[0]["image"] == "b"
    assert found.iloc[0]["cosine"] == pytest.approx(1)
    assert found["cosine"].is_monotonic_decreasing


def test_an_uploaded_image_gets_the_photographs_size(explorer: Explorer) -> None:
    name = explorer.add("holiday/mine.png", png(1000, 1500))
    assert name == "mine.png"
    assert explorer.photographs[name].shape == (UPLOADED_SIDE, UPLOADED_SIDE * 3 // 2, 3)


def test_an_image_of_the_same_name_is_seen_anew(explorer: Explorer) -> None:
    choice = Choice(explorer.add("mine.png", png(64, 64)), 1, 0)
    first, other = explorer.view(PRETRAINED, choice), explorer.view(PRETRAINED, NOISE)
    explorer.add("mine.png", png(64, 90))
    assert explorer.view(PRETRAINED, choice) is not first
    assert explorer.view(PRETRAINED, NOISE) is other


@pytest.mark.parametrize(("content", "words"), [(b"no image", "cannot be read"), (png(20, 99), "99 x 20 pixels")])
def test_what_cannot_be_used_is_said_in_one_line(explorer: Explorer, content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        explorer.add("mine.png", content)
    assert str(error.value).startswith("mine.png: ")
    assert set(explorer.photographs) == {"ramp"}
