"""What the image tower sees, at one or several scales: the same crops and the same scores, however an image comes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from grmp.crops import LARGEST, average, cut_views, even_crops, random_view, resize, to_float, to_tensor, view_weights
from grmp.features import Features
from grmp.model import PromptedCLIP
from grmp.pretrain import draw_batch
from grmp.scoring.inputs import read_input
from grmp.scoring.scorer import Scorer
from grmp.settings import Input

VIEWS = (64, 2), ("native", 1)
SIGHT = Input(views=VIEWS, crop=48)


def picture(height: int, width: int) -> np.ndarray:
    """Noise at every frequency, as RGB bytes."""
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_every_scale_has_its_even_crops_in_their_order() -> None:
    image = torch.rand(3, 100, 140)
    expected = torch.cat([even_crops(resize(image, 64), 48, 2), even_crops(image, 48, 1)])
    assert torch.equal(cut_views(image, VIEWS, 48), expected)


def test_the_mean_is_over_the_crops_of_a_scale_then_over_the_scales() -> None:
    values = torch.rand(5, 3, 7)
    expected = ((values[:, 0] + values[:, 1]) / 2 + values[:, 2]) / 2
    torch.testing.assert_close(average(values, view_weights(VIEWS)), expected)


def test_a_native_crop_keeps_the_images_own_pixels() -> None:
    image = to_tensor(picture(100, 140))
    assert torch.equal(cut_views(image, [("native", 1)], 48)[0], image[:, 26:74, 46:94])


def test_an_image_larger_than_the_bound_is_seen_as_its_copy_of_that_size() -> None:
    image = torch.rand(3, 2 * LARGEST, 3 * LARGEST)
    copy = resize(image, LARGEST)
    assert copy.shape == (3, LARGEST, LARGEST * 3 // 2)
    assert torch.equal(cut_views(image, VIEWS, 48), cut_views(copy, VIEWS, 48))


def test_a_scale_above_the_bound_is_reached_where_it_is_asked_for() -> None:
    image = torch.rand(3, 2 * LARGEST, 2 * LARGEST)
    assert torch.equal(cut_views(image, [(600, 1)], 48), even_crops(resize(image, 600), 48, 1))


@pytest.mark.parametrize(("height", "width"), [(32, 40), (47, 300)])
def test_an_image_smaller_than_a_crop_is_enlarged_to_it(height: int, width: int) -> None:
    image = torch.rand(3, height, width)
    assert torch.equal(cut_views(image, [("native", 1)], 48), even_crops(resize(image, 48), 48, 1))


def test_bytes_are_the_floats_rounded() -> None:
    image = to_tensor(picture(300, 200))
    found, expected = (cut_views(kind, VIEWS, 48) for kind in (image, to_float(image)))
    assert found.dtype == torch.uint8
    assert (to_float(found) - expected).abs().max() * 255 <= 0.51


@pytest.mark.parametrize(("height", "width"), [(40, 60), (100, 140), (700, 900), (1200, 1600)])
def test_a_scorer_gives_a_file_and_its_pixels_the_same_score(
    model: PromptedCLIP, tmp_path: Path, height: int, width: int
) -> None:
    scorer, path = Scorer(model, SIGHT), tmp_path / "a.png"
    Image.fromarray(picture(height, width)).save(path)
    as_batch = scorer(to_float(read_input(path))[None])[0].item()
    assert scorer.score(path)["quality"][0] == pytest.approx(as_batch, abs=1e-6)


def test_a_score_weighs_the_scales_alike(model: PromptedCLIP) -> None:
    image = torch.rand(1, 3, 100, 140)
    each = [model(crop) for crop in cut_views(image, VIEWS, 48)]
    expected = (each[0] + each[1]) / 4 + each[2] / 2
    torch.testing.assert_close(Scorer(model, SIGHT)(image), expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_image_through_every_scale(model: PromptedCLIP) -> None:
    for views in ([(64, 2)], [("native", 1)], VIEWS):
        image = torch.rand(1, 3, 100, 140, requires_grad=True)
        Scorer(model, Input(views=tuple(views), crop=48))(image).sum().backward()
        assert image.grad.abs().sum() > 0


def test_pre_training_sees_every_scale_in_half_of_a_batch() -> None:
    stripes = torch.arange(400) % 2 * 255  # gone at the small scale, whole in its own pixels
    images = [stripes.byte().expand(3, 400, 400)] * 6
    batch = draw_batch(images, torch.rand(6), list(range(6)), 6, SIGHT, torch.Generator().manual_seed(1))
    contrast = batch.images.float().std(dim=(1, 2, 3))
    assert (contrast[::2] < 20).all()
    assert (contrast[1::2] > 120).all()


def test_a_random_view_is_a_crop_at_its_scale() -> None:
    image = to_tensor(picture(100, 140))
    small = resize(image, 64)
    crop = random_view(image, 64, 48, torch.Generator().manual_seed(3))
    places = [small[:, top : top + 48, left : left + 48] for top in range(17) for left in range(small.shape[2] - 47)]
    assert any(torch.equal(crop, place) or torch.equal(crop.flip(-1), place) for place in places)


def test_weights_stay_when_images_are_chosen() -> None:
    seen = Features(torch.rand(4, 3, 2, 5), torch.rand(4, 3, 6), view_weights(VIEWS), torch.rand(4, 3, 2, 6))
    some = seen.at(torch.tensor([2, 0]))
    assert torch.equal(some.weights, seen.weights)
    torch.testing.assert_close(some.probed(), seen.probed()[[2, 0]])


@pytest.mark.parametrize(
    "views", [[], [[64, 0]], [[40, 1]], [["whole", 1]], [[64, 1], [64, 2]], [["native", 2000]], [[9999, 1]]]
)
def test_what_cannot_be_seen_is_refused(views: list) -> None:
    with pytest.raises(ValueError, match="views"):
        Input.model_validate({"views": views, "crop": 48})
