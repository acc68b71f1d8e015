import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip import CLIP
from PIL import Image

from grmp.errors import UserError
from grmp.finetune import label
from grmp.io import backbone
from grmp.io.paths import Folders
from grmp.io.prior_file import save as save_prior
from grmp.io.prompts_file import save_prompts
from grmp.model import PromptedCLIP
from grmp.prior import Prior
from grmp.runtime import Runtime
from grmp.scoring import fit
from grmp.scoring.card import Card
from grmp.scoring.fit import split
from grmp.scoring.opinions import Opinions
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import load, read_card
from grmp.scoring.scorer_file import save as save_scorer
from study.params import Params

COUNT = 12
HALF = 0.5  # of 12 labels: the least share that is enough


@pytest.fixture
def opinions(tmp_path: Path) -> Opinions:
    """Pictures from dark to bright, of which the bright ones are liked."""
    paths = [tmp_path / f"{n}.png" for n in range(COUNT)]
    noise = np.random.default_rng(0).integers(0, 60, (COUNT, 50, 60, 3))
    for n, path in enumerate(paths):
        Image.fromarray((noise[n] + 16 * n).astype(np.uint8)).save(path)
    return Opinions("scores.csv", paths, np.linspace(10, 90, COUNT), (0, 100))


@pytest.fixture
def folders(
    tmp_path: Path,
    clip: CLIP,
    config: dict,
    model: PromptedCLIP,
    settings: Params,
    prior: Prior,
    scorer: Scorer,
    card: Card,
) -> Folders:
    names = ("clip", "prompts", "prior", "scorer")
    made = Folders(**{name: tmp_path / f"{name}.safetensors" for name in names})
    save_prior(made.prior, prior, model, settings.finetune.probe_blocks)
    backbone.save(made.clip, clip, config, settings.backbone)
    save_prompts(made.prompts, model)
    save_scorer(made.scorer, scorer, made.clip, settings.prompts, card)
    return made


@pytest.fixture
def settings(settings: Params) -> Params:
    return settings.model_copy(
        update={
            "finetune": settings.finetune.model_copy(update={"learning_rate": 0.01, "text_learning_rate": 0.01}),
        }
    )


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Scorer]:
    """Every scorer that was adapted, in order."""
    models, adapt = [], fit.adapt

    def spy(*given: object) -> Scorer:
        models.append(adapt(*given))
        return models[-1]

    monkeypatch.setattr(fit, "adapt", spy)
    return models


def same(one: Scorer, other: Scorer) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("count", "share", "held"), [(50, 0.2, 10), (25, 0.2, 5), (22, 0.2, 0), (9, 0.5, 0), (50, 0, 0)]
)
def test_too_few_labels_are_not_held_out(count: int, share: float, held: int) -> None:
    kept, out = split(count, share, seed=1)
    assert len(out) == held
    assert sorted([*kept.tolist(), *out.tolist()]) == list(range(count))


def test_the_split_follows_the_seed() -> None:
    first, again, other = (split(50, 0.2, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_checkpoint_and_its_card_are_written(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    card = fit.fit(opinions, HALF, settings, out, folders)
    assert read_card(out) == card
    assert card.labels.model_dump() == {
        "data": "scores.csv", "images": COUNT, "low": 0, "high": 100, "range_given": True,
    }  # fmt: skip
    assert card.held_out.images == 6
    assert card.held_out.how == "by a model that was trained on the other 6"
    assert card.backbone == backbone.describe(folders.clip)
    assert card.computed == "cpu, fp32"
    assert card.parameters["finetune"]["learning_rate"] == 0.01
    qualities = load(out, "cpu").score(opinions.paths)["quality"]
    assert qualities.between(0, 1, inclusive="neither").all()


@pytest.mark.parametrize("bounds", [(0, 100), None])
def test_corrupting_the_held_out_scores_changes_no_weight_of_the_run_that_measures(
    opinions: Opinions,
    folders: Folders,
    settings: Params,
    tmp_path: Path,
    trained: list[Scorer],
    bounds: tuple[float, float] | None,
) -> None:
    _, held = split(COUNT, HALF, settings.compute.seed)
    corrupted = opinions.scores.copy()
    corrupted[held] = np.random.default_rng(1).permutation(corrupted[held]) / 20  # other extremes as well
    for scores in (opinions.scores, corrupted):
        chosen = dataclasses.replace(opinions, scores=scores, bounds=bounds, higher_is=None if bounds else "better")
        fit.fit(chosen, HALF, settings, tmp_path / "mine.safetensors", folders)
    measured, final, measured_again, final_again = trained
    assert same(measured, measured_again)
    assert not same(final, final_again)


def test_the_written_model_has_learned_from_all_labels(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path, trained: list[Scorer]
) -> None:
    for share in (HALF, 0):
        fit.fit(opinions, share, settings, tmp_path / "mine.safetensors", folders)
    assert len(trained) == 3  # with a hold-out two, without one
    assert same(trained[1], trained[2])
    assert not same(trained[0], trained[1])
    kept = load(tmp_path / "mine.safetensors", "cpu")
    assert same(kept, trained[2])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_probe_is_in_the_checkpoint_where_it_has_a_share(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path, share: float
) -> None:
    tuned = settings.finetune.model_copy(update={"probe_share": share})
    out = tmp_path / "mine.safetensors"
    fit.fit(opinions, 0, settings.model_copy(update={"finetune": tuned}), out, folders)
    probe = load(out, "cpu").probe
    assert (probe is None) == (not share)
    assert not share or (probe.settings.share, probe.settings.blocks) == (share, tuned.probe_blocks)


def test_without_a_hold_out_the_card_says_so(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    card = fit.fit(opinions, 0.2, settings, tmp_path / "mine.safetensors", folders)
    assert card.held_out is None
    assert "unknown" in card.text()


def test_without_a_range_the_scores_own_ends_are_told(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    card = fit.fit(
        dataclasses.replace(opinions, bounds=None, higher_is="better"),
        0,
        settings,
        tmp_path / "mine.safetensors",
        folders,
    )
    assert (card.labels.low, card.labels.high, card.labels.range_given) == (10, 90, False)
    assert "0 is 10, 1 is 90 (the least and the greatest of the labels)" in card.text()


def test_a_turned_range_means_that_higher_is_worse(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path, trained: list[Scorer]
) -> None:
    turned = dataclasses.replace(opinions, scores=100 - opinions.scores, bounds=(100, 0))
    cards = [fit.fit(chosen, HALF, settings, tmp_path / "mine.safetensors", folders) for chosen in (opinions, turned)]
    assert same(trained[1], trained[3])
    assert cards[0].held_out == cards[1].held_out


def test_it_learns_the_labels(opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path) -> None:
    longer = settings.finetune.model_copy(update={"steps": 40, "batch": 12})
    out = tmp_path / "mine.safetensors"
    fit.fit(opinions, 0, settings.model_copy(update={"finetune": longer}), out, folders)
    qualities = load(out, "cpu").score(opinions.paths)["quality"].to_numpy()
    assert np.corrcoef(qualities, opinions.scores)[0, 1] > 0.8


def test_the_teacher_is_the_clip_without_prompts(model: PromptedCLIP, settings: Params, runtime: Runtime) -> None:
    crops = torch.randint(0, 256, (3, 2, 3, 48, 48), dtype=torch.uint8)
    seen = fit.compute_features(model.requires_grad_(False), crops, settings, runtime)
    untouched = model.clip.encode_image((crops[:, 0] / 255 - model.mean) / model.std, normalize=True)
    torch.testing.assert_close(seen.embeddings[:, 0], untouched, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.embed_from(seen.tokens[:, 0], 1), model.encode_image(crops[:, 0] / 255))
    scenes = label(model, seen, torch.rand(3)).teacher[:, 0]
    torch.testing.assert_close(scenes, model.scene_logits(untouched), rtol=1e-3, atol=1e-3)


def test_an_image_that_cannot_be_read_is_named(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    opinions.paths[4].write_bytes(b"no image")
    with pytest.raises(UserError, match=r"4\.png: cannot be read as an image"):
        fit.fit(opinions, 0, settings, tmp_path / "mine.safetensors", folders)
    assert not (tmp_path / "mine.safetensors").exists()


def test_the_studys_files_are_needed(opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path) -> None:
    folders.prompts.unlink()
    with pytest.raises(UserError, match=r"prompts\.safetensors: no such checkpoint; `dvc repro` makes it"):
        fit.fit(opinions, 0, settings, tmp_path / "mine.safetensors", folders)
