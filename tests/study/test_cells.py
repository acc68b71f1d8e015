import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import POOL, TEST

from grmp.errors import UserError
from grmp.finetune import Outcome
from grmp.io import backbone, prior_file
from grmp.io.paths import Folders
from grmp.io.prompts_file import save_prompts
from grmp.metrics import DECIMALS, srcc
from grmp.model import PromptedCLIP
from grmp.probe_fit import prior_roots, regress
from study.data.manifests import write_manifest
from study.data.sets import Fold
from study.params import Params
from study.stages import cells, features, tuning
from study.stages.cells import Cell, run_cell, write_cell
from study.stages.inputs import Inputs, draw_labelled, labelled_indices, read_inputs
from study.stages.tuning import own_rule, start_model
from study.variants import VARIANTS

KEY = ["variant", "labels", "count", "strength", "repeat"]
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[PromptedCLIP]:
    """Every model that a cell starts, which it then trains in place."""
    models, start = [], tuning.start_model

    def spy(*given: object) -> PromptedCLIP:
        models.append(start(*given))
        return models[-1]

    monkeypatch.setattr(tuning, "start_model", spy)
    return models


def same(one: PromptedCLIP, other: PromptedCLIP) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_labelled_images_are_distinct_and_nested() -> None:
    ten, fifty = (draw_labelled(400, count, seed=1, repeat=3).tolist() for count in (10, 50))
    assert len(set(fifty)) == 50
    assert set(ten) < set(fifty)
    assert draw_labelled(400, 400, 1, 3).sort().values.tolist() == list(range(400))


def test_labelled_images_follow_seed_and_repeat() -> None:
    drawn = [tuple(draw_labelled(400, 10, *key).tolist()) for key in ((1, 1), (1, 2), (2, 1), (1, 1))]
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3


@EVERY_VARIANT
def test_corrupting_all_test_scores_changes_no_weight_and_no_prediction(
    study: Inputs, settings: Params, trained: list[PromptedCLIP], variant: str
) -> None:
    test = study.folds[0].test
    corrupted = dataclasses.replace(study, scores=study.scores.index_put((test,), 1 - study.scores[test].flip(0) ** 3))
    one, other = (run_cell(chosen, variant, 6, settings.qgr) for chosen in (study, corrupted))
    assert one.predictions.equals(other.predictions)
    assert one.steps.equals(other.steps)
    assert not one.results.equals(other.results)
    half = len(trained) // 2
    assert half == (2 if VARIANTS[variant].tuned else 0)
    assert all(same(a, b) for a, b in zip(trained[:half], trained[half:], strict=True))


@EVERY_VARIANT
def test_the_unlabelled_scores_of_the_pool_have_no_say(study: Inputs, settings: Params, variant: str) -> None:
    once = dataclasses.replace(study, folds=study.folds[:1])
    shown = torch.cat([labelled_indices(study, 6, 1), study.folds[0].test])
    corrupted = dataclasses.replace(once, scores=(1 - study.scores).index_put((shown,), study.scores[shown]))
    one, other = (run_cell(chosen, variant, 6, settings.qgr).predictions for chosen in (once, corrupted))
    assert one.equals(other)


@EVERY_VARIANT
def test_the_labelled_scores_do_have_a_say(study: Inputs, settings: Params, variant: str) -> None:
    other = dataclasses.replace(study, scores=1 - study.scores)
    one, other = (run_cell(chosen, variant, 6, settings.qgr).predictions for chosen in (study, other))
    assert not one.equals(other)


@EVERY_VARIANT
def test_the_order_of_the_test_images_does_not_matter(study: Inputs, settings: Params, variant: str) -> None:
    turned = [Fold(fold.train, fold.test.flip(0)) for fold in study.folds]
    one, other = (
        run_cell(chosen, variant, 6, settings.qgr) for chosen in (study, dataclasses.replace(study, folds=turned))
    )
    merged = one.predictions.merge(other.predictions, on=["repeat", "place"])
    assert len(merged) == 2 * TEST
    np.testing.assert_allclose(merged["predicted_x"], merged["predicted_y"], atol=1.1e-4)  # the last kept decimal


@EVERY_VARIANT
def test_each_repeat_has_its_own_fold(study: Inputs, settings: Params, variant: str) -> None:
    swapped = Fold(study.folds[0].test, study.folds[0].train)
    cell = run_cell(dataclasses.replace(study, folds=[study.folds[0], swapped]), variant, 6, settings.qgr)
    tested = cell.predictions.groupby("repeat")["place"].agg(list)
    assert tested[1] == study.folds[0].test.tolist()
    assert tested[2] == study.folds[0].train.tolist()


def test_ridges_strength_is_chosen_without_the_test_part(
    study: Inputs, settings: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(
        cells,
        "fit_predict",
        lambda train, scores, test, how: given.append((train, scores)) or np.arange(len(test)),
    )
    run_cell(study, "ridge", 6, settings.qgr)
    for repeat, (train, scores) in enumerate(given, 1):
        indices = labelled_indices(study, 6, repeat)
        np.testing.assert_array_equal(train, study.plain.embeddings[indices].mean(dim=1))
        np.testing.assert_array_equal(scores, study.scores[indices])


def test_a_probe_without_tuning_is_stacked_regressions_in_the_middle_of_the_untouched_tower(
    study: Inputs, settings: Params
) -> None:
    found = run_cell(study, "probe", 6, settings.qgr).predictions["predicted"]
    seen = study.plain.middle.mean(dim=1).numpy()
    for repeat, fold in enumerate(study.folds, 1):
        indices = labelled_indices(study, 6, repeat)
        expected, _ = regress(seen[indices], study.scores[indices].numpy(), None).predict(seen[fold.test])
        np.testing.assert_allclose(found[(repeat - 1) * TEST : repeat * TEST], expected, atol=1.1 * 10**-DECIMALS)


def test_a_probe_expects_what_the_prior_says_behind_mpp_alone(study: Inputs, settings: Params) -> None:
    def run(variant: str, strength: float) -> pd.Series:
        tuned = study.finetune.model_copy(update={"probe_prior": strength, "probe_share": 1.0})
        return run_cell(dataclasses.replace(study, finetune=tuned), variant, 6, settings.qgr).predictions["predicted"]

    assert run("probe", 3.0).equals(run("probe", 0.0))
    assert not run("full_probe", 3.0).equals(run("full_probe", 0.0))
    seen = study.meta.middle.mean(dim=1).numpy()
    for repeat, fold in enumerate(study.folds, 1):
        indices = labelled_indices(study, 6, repeat)
        roots = prior_roots(study.finetune.model_copy(update={"probe_prior": 3.0}), study.prior)
        expected = regress(seen[indices], study.scores[indices].numpy(), roots).predict(seen[fold.test])[0].clip(0, 1)
        found = run("full_probe", 3.0)[(repeat - 1) * TEST : repeat * TEST]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_probe_beside_tuning_is_averaged_in_by_its_share(study: Inputs, settings: Params, share: float) -> None:
    plain = study.finetune.model_copy(update={"probe_share": share, "probe_prior": 0.0})
    mixed = dataclasses.replace(study, finetune=plain)
    both, tuned = (run_cell(mixed, name, 6, settings.qgr).predictions["predicted"] for name in ("full_probe", "full"))
    alone = run_cell(dataclasses.replace(study, plain=study.meta), "probe", 6, settings.qgr).predictions["predicted"]
    np.testing.assert_allclose(both, (1 - share) * tuned + share * alone.clip(0, 1), atol=1.1 * 10**-DECIMALS)


def test_features_without_what_the_probe_reads_are_refused(study: Inputs, settings: Params) -> None:
    bare = dataclasses.replace(study, plain=dataclasses.replace(study.plain, middle=None))
    with pytest.raises(UserError, match=r"finetune\.probe_blocks.*dvc repro features"):
        run_cell(bare, "probe", 6, settings.qgr)


@EVERY_VARIANT
def test_a_cell_leaves_three_tables(study: Inputs, settings: Params, variant: str) -> None:
    cell = run_cell(study, variant, 0.5, settings.qgr)
    assert list(cell.results.columns) == [*KEY, "srcc", "plcc", "krcc", "rmse", "srcc_best"]
    assert cell.results[KEY].to_numpy().tolist() == [[variant, 0.5, 6, 1.0, 1], [variant, 0.5, 6, 1.0, 2]]
    assert list(cell.predictions.columns) == ["predicted", "place", *KEY]
    assert cell.predictions["place"].tolist() == study.folds[0].test.tolist() * 2
    if not VARIANTS[variant].tuned:
        assert cell.steps.empty
    else:
        assert list(cell.steps.columns) == ["step", "quality", "semantic", "cosine", *KEY]
        assert cell.steps["step"].tolist() == [1, 2, 3, 4] * 2


@EVERY_VARIANT
def test_the_best_on_the_test_part_is_never_worse_than_the_last(study: Inputs, settings: Params, variant: str) -> None:
    results = run_cell(dataclasses.replace(study, folds=study.folds * 2), variant, 6, settings.qgr).results
    assert (results["srcc_best"] >= results["srcc"]).all()


def test_optimism_is_there_where_the_last_step_is_not_the_best(
    study: Inputs, settings: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = study.scores[study.folds[0].test].numpy()
    bad = -good
    predictions = torch.from_numpy(np.stack([good, bad]))
    outcome = Outcome([2, 4], predictions, pd.DataFrame({"step": [1]}))
    monkeypatch.setattr(tuning, "tune", lambda *_: outcome)
    results = run_cell(study, "full", 6, settings.qgr).results
    assert results["srcc"].tolist() == [-1, -1]
    assert results["srcc_best"].tolist() == [1, 1]


def test_the_metrics_are_those_of_the_written_predictions(study: Inputs, settings: Params) -> None:
    cell = run_cell(study, "full", 6, settings.qgr)
    second = cell.predictions.loc[cell.predictions["repeat"] == 2, "predicted"].to_numpy()
    truth = study.scores[study.folds[1].test].numpy()
    assert cell.results["srcc"][1] == pytest.approx(srcc(second, truth), abs=0.02)  # rounding may tie


def test_without_qgr_is_full_with_the_gradient_left_alone(study: Inputs, settings: Params) -> None:
    never = settings.qgr.model_copy(update={"when": "never"})
    strong = settings.qgr.model_copy(update={"strength": 5.0})
    without, full_never, full = (
        run_cell(study, variant, 6, qgr).predictions["predicted"]
        for variant, qgr in (("without_qgr", strong), ("full", never), ("full", strong))
    )
    assert without.equals(full_never)
    assert not without.equals(full)


@pytest.mark.parametrize("variant", [name for name, variant in VARIANTS.items() if variant.tuned])
@pytest.mark.parametrize("which", ["plain", "meta"])
@pytest.mark.parametrize("field", ["tokens", "embeddings"])
def test_a_variant_sees_its_own_tokens_and_the_untouched_clips_embeddings(
    study: Inputs, settings: Params, variant: str, which: str, field: str
) -> None:
    once = dataclasses.replace(study, folds=study.folds[:1])
    features, pool = getattr(study, which), study.folds[0].train
    changed = getattr(features, field).index_put((pool,), torch.randn_like(getattr(features, field)[pool]))
    other = dataclasses.replace(once, **{which: dataclasses.replace(features, **{field: changed})})
    one, other = (run_cell(chosen, variant, 6, settings.qgr).predictions for chosen in (once, other))
    recipe = VARIANTS[variant]
    own = (which == "meta") == recipe.mpp if field == "tokens" else which == "plain" and recipe.qgr
    assert one.equals(other) == (not own)


def test_a_variant_may_set_keys_of_qgr_for_itself(settings: Params) -> None:
    prograd = dataclasses.replace(VARIANTS["full"], rule={"when": "conflict"})
    assert own_rule(prograd, settings.qgr) == settings.qgr.model_copy(update={"when": "conflict"})
    assert own_rule(VARIANTS["full"], settings.qgr) == settings.qgr
    assert own_rule(VARIANTS["without_qgr"], settings.qgr).when == "never"
    with pytest.raises(ValueError, match="sometimes"):
        own_rule(dataclasses.replace(prograd, rule={"when": "sometimes"}), settings.qgr)


def test_with_mpp_a_run_starts_from_the_pre_trained_prompts(study: Inputs) -> None:
    started = start_model(study, VARIANTS["full"], 1)
    assert same(started, study.pretrained)
    with torch.no_grad():
        started.text_prompt.context.zero_()
    assert study.pretrained.text_prompt.context.abs().sum() > 0  # it is a copy


def test_without_mpp_there_are_no_image_prompts_and_the_context_is_the_repeats(study: Inputs) -> None:
    first, again, other, unregularised = (
        start_model(study, VARIANTS[variant], repeat)
        for variant, repeat in (("without_mpp", 1), ("without_mpp", 1), ("without_mpp", 2), ("without_both", 1))
    )
    assert first.visual_prompt is None
    assert torch.equal(first.text_prompt.context, again.text_prompt.context)
    assert torch.equal(first.text_prompt.context, unregularised.text_prompt.context)
    assert not torch.equal(first.text_prompt.context, other.text_prompt.context)


@EVERY_VARIANT
def test_a_cell_leaves_the_study_as_it_was(study: Inputs, settings: Params, variant: str) -> None:
    one, again = (run_cell(study, variant, 6, settings.qgr) for _ in range(2))
    assert one.predictions.equals(again.predictions)
    assert one.results.equals(again.results)


@pytest.mark.parametrize("labels", [POOL + 1, 1])
def test_impossible_numbers_of_labels_are_an_error(study: Inputs, settings: Params, labels: int) -> None:
    with pytest.raises(UserError, match=f"pool's {POOL}"):
        run_cell(study, "full", labels, settings.qgr)


class KilledError(Exception):
    """Stands in for SIGKILL."""


@pytest.fixture
def no_more(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets fine-tuning fail once it was done so many times more."""

    finetune = tuning.finetune

    def allow(times: int) -> None:
        done = []

        def limited(*given: object) -> Outcome:
            if len(done) == times:
                raise KilledError
            done.append(1)
            return finetune(*given)

        monkeypatch.setattr(tuning, "finetune", limited)

    return allow


def same_bytes(one: Cell, other: Cell) -> bool:
    return all(table.to_csv() == getattr(other, name).to_csv() for name, table in vars(one).items())


@pytest.mark.parametrize("variant", [name for name, variant in VARIANTS.items() if variant.tuned])
def test_what_was_kept_is_not_fine_tuned_again(
    study: Inputs, settings: Params, tmp_path: Path, no_more: Callable[[int], None], variant: str
) -> None:
    expected, first = (run_cell(study, variant, 6, settings.qgr, kept) for kept in (None, tmp_path))
    no_more(0)
    assert same_bytes(expected, first)
    assert same_bytes(expected, run_cell(study, variant, 6, settings.qgr, tmp_path))
    assert len(list(tmp_path.iterdir())) == study.repeats


def test_a_cell_that_was_interrupted_goes_on_to_the_same_bytes(
    study: Inputs, settings: Params, tmp_path: Path, no_more: Callable[[int], None]
) -> None:
    longer = dataclasses.replace(study, folds=study.folds * 2)
    expected = run_cell(longer, "full", 6, settings.qgr)
    no_more(3)
    with pytest.raises(KilledError):
        run_cell(longer, "full", 6, settings.qgr, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    half = min(tmp_path.iterdir())
    half.write_bytes(half.read_bytes()[:100])
    no_more(2)  # the fourth repeat, and the one of which half a file is left
    assert same_bytes(expected, run_cell(longer, "full", 6, settings.qgr, tmp_path))


@pytest.mark.parametrize("changed", ["labels", "settings", "rule", "scores", "seed"])
def test_what_fine_tuning_depends_on_makes_other_files(
    study: Inputs, settings: Params, tmp_path: Path, changed: str
) -> None:
    steps = study.finetune.model_copy(update={"steps": 2})
    other = {
        "settings": dataclasses.replace(study, finetune=steps),
        "scores": dataclasses.replace(study, scores=1 - study.scores),
        "seed": dataclasses.replace(study, seed=2),
    }.get(changed, study)
    rule = settings.qgr.model_copy(update={"strength": 2.0}) if changed == "rule" else settings.qgr
    run_cell(study, "full", 6, settings.qgr, tmp_path)
    run_cell(other, "full", 5 if changed == "labels" else 6, rule, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 * study.repeats


def test_variants_that_differ_after_fine_tuning_alone_share_their_files(
    study: Inputs, settings: Params, tmp_path: Path, no_more: Callable[[int], None]
) -> None:
    run_cell(study, "full", 6, settings.qgr, tmp_path)
    no_more(0)
    found = run_cell(study, "full_probe", 6, settings.qgr, tmp_path)
    assert same_bytes(found, run_cell(study, "full_probe", 6, settings.qgr, tmp_path))


@EVERY_VARIANT
def test_the_written_tables_come_back(study: Inputs, settings: Params, tmp_path: Path, variant: str) -> None:
    cell = run_cell(study, variant, 6, settings.qgr)
    write_cell(tmp_path / "cell", cell)
    read = pd.read_csv(tmp_path / "cell" / "results.csv")
    assert read["srcc"].tolist() == pytest.approx(cell.results["srcc"].tolist())
    assert len(pd.read_csv(tmp_path / "cell" / "predictions.csv")) == 2 * TEST
    assert ((tmp_path / "cell" / "steps.csv").stat().st_size == 0) == (not VARIANTS[variant].tuned)


@pytest.fixture
def folders(study: Inputs, config: dict, settings: Params, tmp_path: Path) -> Folders:
    """What earlier stages leave on disk for the study."""
    names = ("clip.safetensors", "prompts.safetensors", "features", "target", "prior.safetensors")
    made = Folders(*(tmp_path / name for name in names))
    backbone.save(made.clip, study.clip, config, settings.backbone)
    save_prompts(made.prompts, study.pretrained)
    prior_file.save(made.prior, study.prior, study.pretrained, settings.finetune.probe_blocks)
    for name in ("plain", "meta"):
        features.save(made.features / f"{name}.safetensors", getattr(study, name))
    made.target.mkdir()
    rows = {"image": "x.jpg", "photograph": "a", "distortions": "1", "levels": "1", "scene": "animal"}
    manifest = pd.DataFrame({"score": study.scores.numpy(), "part": "train"} | rows)
    manifest.loc[study.folds[0].test.tolist(), "part"] = "test"
    write_manifest(made.target, manifest)
    return made


def read(folders: Folders, settings: Params, repeats: int = 2) -> Inputs:
    tuned = settings.finetune.model_copy(update={"learning_rate": 0.01, "text_learning_rate": 0.01})
    return read_inputs(folders, settings.compute, settings.prompts, settings.image, tuned, repeats)


@EVERY_VARIANT
def test_a_study_from_disk_gives_the_same_predictions(
    study: Inputs, settings: Params, folders: Folders, variant: str
) -> None:
    rounded = dataclasses.replace(study, scores=study.scores.double().round(decimals=6).float())
    found = run_cell(read(folders, settings), variant, 6, settings.qgr).predictions["predicted"]
    expected = run_cell(rounded, variant, 6, settings.qgr).predictions["predicted"]
    np.testing.assert_allclose(found, expected, atol=1.1e-4)


@pytest.mark.parametrize("missing", ["clip", "prompts", "prior"])
def test_a_missing_file_of_an_earlier_stage_is_named(settings: Params, folders: Folders, missing: str) -> None:
    path = getattr(folders, missing)
    path.unlink()
    with pytest.raises(UserError, match=rf"{path.name}: no such checkpoint"):
        read(folders, settings)
