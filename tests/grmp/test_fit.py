import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image

from grmp.errors import UserError
from grmp.finetune import label
from grmp.io import backbone
from grmp.io.identity import describe
from grmp.io.paths import Folders
from grmp.io.prior_file import save as save_prior
from grmp.io.prompts_file import save_prompts
from grmp.metrics import rmse
from grmp.model import PromptedCLIP
from grmp.prior import Prior
from grmp.runtime import Runtime
from grmp.scoring import fit
from grmp.scoring.card import Card
from grmp.scoring.opinions import Opinions
from grmp.scoring.scorer import Scorer
from grmp.scoring.scorer_file import load, read_card
from grmp.scoring.scorer_file import save as save_scorer
from study.params import Params

COUNT = 12


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


def test_a_checkpoint_and_its_card_are_written(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    card = fit.fit(opinions, settings, out, folders)
    assert read_card(out) == card
    assert card.labels.model_dump() == {
        "data": "scores.csv", "images": COUNT, "low": 0, "high": 100, "range_given": True,
    }  # fmt: skip
    assert card.held_out.images == COUNT
    assert card.held_out.untuned.keys() == card.held_out.intervals.keys() == {"srcc", "plcc", "rmse"}
    assert "untuned: SRCC" in card.text()
    assert [*card.held_out.curve] == [10]
    table = pd.read_csv(out.with_suffix(".csv"))
    assert table["image"].tolist() == [str(path) for path in opinions.paths]
    assert table["given"].tolist() == opinions.scores.tolist()
    assert rmse(table["predicted"].to_numpy(), opinions.scores) < opinions.scores.std()
    assert card.backbone == describe(folders.clip)
    assert card.computed == "cpu, fp32"
    assert card.parameters["finetune"]["learning_rate"] == 0.01
    qualities = load(out, "cpu").score(opinions.paths)["quality"]
    assert qualities.between(0, 1, inclusive="neither").all()


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_probe_is_in_the_checkpoint_where_it_has_a_share(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path, share: float
) -> None:
    tuned = settings.finetune.model_copy(update={"probe_share": share})
    out = tmp_path / "mine.safetensors"
    fit.fit(opinions, settings.model_copy(update={"finetune": tuned}), out, folders)
    probe = load(out, "cpu").probe
    assert (probe is None) == (not share)
    assert not share or (probe.settings.share, probe.settings.blocks) == (share, tuned.probe_blocks)


@pytest.mark.parametrize(("count", "share"), [(9, 0.5), (COUNT, 0.0)])
def test_too_few_labels_and_a_fit_without_a_probe_tell_nothing_of_agreement(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path, count: int, share: float
) -> None:
    few = dataclasses.replace(opinions, paths=opinions.paths[:count], scores=opinions.scores[:count])
    tuned = settings.finetune.model_copy(update={"probe_share": share})
    chosen = settings.model_copy(update={"finetune": tuned})
    card = fit.fit(few, chosen, tmp_path / "mine.safetensors", folders)
    assert card.held_out is None
    assert "unknown" in card.text()
    assert not (tmp_path / "mine.csv").exists()


def test_without_a_range_the_scores_own_ends_are_told(
    opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path
) -> None:
    card = fit.fit(
        dataclasses.replace(opinions, bounds=None, higher_is="better"),
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
    cards = [fit.fit(chosen, settings, tmp_path / "mine.safetensors", folders) for chosen in (opinions, turned)]
    assert same(*trained)
    assert cards[0].held_out == cards[1].held_out


def test_it_learns_the_labels(opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path) -> None:
    longer = settings.finetune.model_copy(update={"steps": 40, "batch": 12})
    out = tmp_path / "mine.safetensors"
    fit.fit(opinions, settings.model_copy(update={"finetune": longer}), out, folders)
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
        fit.fit(opinions, settings, tmp_path / "mine.safetensors", folders)
    assert not (tmp_path / "mine.safetensors").exists()


def test_the_studys_files_are_needed(opinions: Opinions, folders: Folders, settings: Params, tmp_path: Path) -> None:
    folders.prompts.unlink()
    with pytest.raises(UserError, match=r"prompts\.safetensors: no such checkpoint; `dvc repro` makes it"):
        fit.fit(opinions, settings, tmp_path / "mine.safetensors", folders)
