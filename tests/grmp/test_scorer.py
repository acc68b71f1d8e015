from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from grmp.crops import cut_views, even_crops, resize
from grmp.model import PromptedCLIP
from grmp.probe import Probe, ProbeSettings
from grmp.scoring.inputs import read_input
from grmp.scoring.scorer import Input, Scorer

ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture
def pixels() -> list[np.ndarray]:
    """Seven images of different sizes, as RGB bytes."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (50 + 9 * n, 90 - 7 * n, 3), dtype=np.uint8) for n in range(7)]


@pytest.fixture
def files(tmp_path: Path, pixels: list[np.ndarray]) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(len(pixels))]
    for path, image in zip(paths, pixels):
        Image.fromarray(image).save(path)
    return paths


def test_on_the_exact_crop_it_is_the_model(model: PromptedCLIP) -> None:
    images = torch.rand(3, 3, 48, 48)
    scorer = Scorer(model, Input(views=((48, 1),), crop=48))
    assert torch.equal(scorer(images), model(images))


def test_the_quality_is_the_mean_over_even_crops(scorer: Scorer, model: PromptedCLIP) -> None:
    image = torch.rand(3, 64, 90)
    expected = model(even_crops(image, 48, 3)).mean()
    torch.testing.assert_close(scorer(image[None])[0], expected, **ROUNDING)


@pytest.mark.parametrize("blocks", [(1,), (2, 3), (9, 1)])
def test_a_probe_is_averaged_into_the_quality_of_each_crop(model: PromptedCLIP, blocks: tuple[int, ...]) -> None:
    probe = Probe(ProbeSettings(blocks=blocks, share=0.25), 16)
    probe.weight.copy_(torch.randn(len(blocks), 16) / 4)
    probe.bias.fill_(0.5)
    images = torch.rand(3, 3, 48, 48)
    read = [model.embed_at(model.tokens_before(images, stop=min(block, 3))) for block in blocks]
    regressed = sum(part @ weight for part, weight in zip(read, probe.weight)) + 0.5
    expected = 0.75 * model(images) + 0.25 * regressed.clamp(0, 1)
    found = Scorer(model, Input(views=((48, 1),), crop=48), probe)(images)
    torch.testing.assert_close(found, expected, **ROUNDING)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 200), (64, 64), (65, 63), (300, 111)])
def test_any_size_from_32_up_has_a_quality_between_0_and_1(scorer: Scorer, height: int, width: int) -> None:
    quality = scorer(torch.rand(2, 3, height, width))
    assert quality.shape == (2,)
    assert ((quality > 0) & (quality < 1)).all()


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 31, 64), (1, 64, 64, 3)])
def test_other_shapes_are_an_error(scorer: Scorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="images must be"):
        scorer(torch.rand(shape))


def test_bytes_are_an_error(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="floats in"):
        scorer(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


def test_a_batch_of_one_is_a_batch_of_many(scorer: Scorer) -> None:
    images = torch.rand(4, 3, 70, 80)
    torch.testing.assert_close(torch.cat([scorer(image[None]) for image in images]), scorer(images), **ROUNDING)


@pytest.mark.parametrize("size", [64, 100])
def test_the_gradient_reaches_the_image_and_no_weight(scorer: Scorer, size: int) -> None:
    image = torch.rand(1, 3, size, size, requires_grad=True)
    scorer(image).sum().backward()
    assert image.grad.abs().sum() > 0
    assert torch.isfinite(image.grad).all()
    assert all(weight.grad is None for weight in scorer.parameters())


def test_a_step_along_the_gradient_raises_the_quality(scorer: Scorer) -> None:
    image = torch.rand(1, 3, 80, 80, requires_grad=True)
    before = scorer(image)
    (slope,) = torch.autograd.grad(before.sum(), image)
    assert scorer(image + 0.01 * slope / slope.norm()) > before


def test_it_stays_in_evaluation_mode_inside_of_a_model_that_is_trained(scorer: Scorer) -> None:
    image = torch.rand(1, 3, 64, 64)
    before = scorer(image)
    outer = torch.nn.ModuleList([scorer]).train()
    assert outer.training
    assert torch.equal(scorer(image), before)


def test_files_bytes_and_pillow_images_get_the_same_scores(
    scorer: Scorer, files: list[Path], pixels: list[np.ndarray]
) -> None:
    by_file = scorer.score(files)
    assert list(by_file.columns) == ["image", "quality", "error"]
    assert by_file["image"].tolist() == [str(path) for path in files]
    assert scorer.score(pixels)["image"].tolist() == [str(n) for n in range(7)]
    for same in (pixels, [Image.fromarray(image) for image in pixels], map(str, files)):
        assert scorer.score(same)["quality"].tolist() == by_file["quality"].tolist()


def test_a_file_is_judged_by_even_crops_at_its_scale(scorer: Scorer, model: PromptedCLIP, files: list[Path]) -> None:
    crops = cut_views(read_input(files[3]), ((64, 3),), 48)
    assert scorer.score(files[3])["quality"][0] == pytest.approx(model(crops / 255).mean().item(), abs=1e-5)


def test_scales_count_alike_however_many_crops_they_have(model: PromptedCLIP) -> None:
    image = torch.rand(1, 3, 70, 90)
    small, native = even_crops(resize(image, 56), 48, 3), even_crops(image, 48, 1)
    expected = (model(small[:, 0]).mean() + model(native[:, 0]).mean()) / 2
    found = Scorer(model, Input(views=((56, 3), ("native", 1)), crop=48))(image)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)


def test_one_image_needs_no_list(scorer: Scorer, files: list[Path], pixels: list[np.ndarray]) -> None:
    for one in (files[0], str(files[0]), pixels[0], Image.fromarray(pixels[0])):
        assert len(scorer.score(one)) == 1


@pytest.mark.parametrize("batch", [1, 2, 7, 50])
def test_the_batch_size_has_no_effect(scorer: Scorer, files: list[Path], batch: int) -> None:
    found, expected = (scorer.score(files, size)["quality"].tolist() for size in (batch, 3))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 50])
def test_an_unreadable_file_does_not_stop_the_rest(scorer: Scorer, files: list[Path], batch: int) -> None:
    whole = scorer.score(files)
    for place in (0, 3):
        files[place].write_bytes(b"no image")
    table = scorer.score(files, batch)
    assert table["quality"].isna().tolist() == [True, False, False, True, False, False, False]
    assert str(files[3]) in table["error"][3]
    kept = table["quality"].notna()
    assert table["quality"][kept].tolist() == pytest.approx(whole["quality"][kept].tolist(), abs=1e-5)
    assert (table["error"][kept] == "").all()


def test_nothing_given_is_an_empty_table(scorer: Scorer) -> None:
    assert list(scorer.score([]).columns) == ["image", "quality", "error"]
    assert len(scorer.score([])) == 0


def test_few_images_are_read_ahead(scorer: Scorer, pixels: list[np.ndarray]) -> None:
    taken = []

    def source():
        for image in pixels * 3:
            taken.append(image)
            yield image

    next(scorer.stream(source(), batch=2))
    assert len(taken) == 4


def test_scoring_leaves_no_trace_in_the_random_numbers(scorer: Scorer, files: list[Path]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    scorer.score(files)
    assert torch.equal(torch.rand(3), expected)


def test_quality_is_a_plain_column_of_numbers(scorer: Scorer, files: list[Path]) -> None:
    assert pd.api.types.is_float_dtype(scorer.score(files)["quality"])
