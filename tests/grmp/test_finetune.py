import copy
import dataclasses

import pandas as pd
import pytest
import torch

from grmp import finetune as finetuning
from grmp.errors import UserError
from grmp.features import Features, frozen_features
from grmp.finetune import (
    Labelled,
    Outcome,
    combine,
    draw,
    evaluation_steps,
    finetune,
    label,
    make_optimiser,
    predict,
    teacher_logits,
)
from grmp.model import PromptedCLIP, first_trained_block, quality_loss, semantic_loss
from grmp.runtime import Runtime
from study.params import Params

IMAGES, VIEWS = 6, 2


@pytest.fixture
def features(model: PromptedCLIP, runtime: Runtime) -> Features:
    generator = torch.Generator().manual_seed(4)
    crops = torch.randint(0, 256, (IMAGES, VIEWS, 3, 48, 48), dtype=torch.uint8, generator=generator)
    return frozen_features(model, crops, first_trained_block(model, 2), runtime, "test")


@pytest.fixture
def labelled(model: PromptedCLIP, features: Features) -> Labelled:
    scores = torch.linspace(0.1, 0.9, IMAGES)
    return label(model, features, scores)


@pytest.fixture
def run(labelled: Labelled, features: Features, settings: Params, runtime: Runtime):
    """Fine-tune a model in place; changes of finetune's and qgr's settings, and of what is run on, by name."""

    def start(
        model: PromptedCLIP, test: Features = features, qgr: dict | None = None, seed: int = 1, **changes: object
    ) -> Outcome:
        tuned = settings.finetune.model_copy(update={"learning_rate": 0.01} | changes)
        regularised = settings.qgr.model_copy(update=qgr or {})
        return finetune(model, labelled, test, tuned, regularised, runtime, torch.Generator().manual_seed(seed))

    return start


def weights(model: PromptedCLIP) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def same(one: PromptedCLIP, other: PromptedCLIP) -> bool:
    """Whether two models agree bit for bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("steps", "evaluations", "expected"),
    [(25, 5, [5, 10, 15, 20, 25]), (10, 3, [3, 7, 10]), (3, 5, [1, 2, 3]), (7, 1, [7]), (1, 4, [1])],
)
def test_evaluations_are_spread_and_the_last_step_is_among_them(
    steps: int, evaluations: int, expected: list[int]
) -> None:
    assert evaluation_steps(steps, evaluations) == expected


@pytest.mark.parametrize(("batch", "expected"), [(4, 4), (6, 6), (100, 6)])
def test_every_step_sees_distinct_images_and_in_the_long_run_every_view(
    labelled: Labelled, settings: Params, batch: int, expected: int
) -> None:
    chosen = settings.finetune.model_copy(update={"steps": 20, "batch": batch})
    found = draw(labelled, chosen, torch.Generator().manual_seed(0))
    assert found.images.shape == found.views.shape == (20, expected)
    assert all(len(set(row)) == expected for row in found.images.tolist())
    assert set(found.images.flatten().tolist()) == set(range(IMAGES))
    assert set(found.views.flatten().tolist()) == set(range(VIEWS))


def test_tokens_too_large_for_the_device_are_fetched_step_by_step_with_the_same_result(
    model: PromptedCLIP, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = copy.deepcopy(model)
    kept = run(model)
    monkeypatch.setattr(finetuning, "MOST_ON_DEVICE", 0)
    assert kept.steps.equals(run(other).steps)


def test_the_teacher_is_the_untouched_clip(model: PromptedCLIP, features: Features) -> None:
    found = teacher_logits(model, features.embeddings)
    assert found.shape == (IMAGES, VIEWS, 9)
    torch.testing.assert_close(found[3, 1], model.scene_logits(features.embeddings[3, 1:2])[0], rtol=1e-4, atol=1e-5)
    assert not found.requires_grad


@pytest.mark.parametrize("when", ["aligned", "never"])
def test_only_context_last_blocks_and_final_norms_change(model: PromptedCLIP, run, when: str) -> None:
    before = weights(model)
    run(model, qgr={"when": when})
    changed = {name for name, value in weights(model).items() if not torch.equal(value, before[name])}
    assert changed == set(model.tuned_parameters(2))
    assert not any(name.startswith("visual_prompt.") for name in changed)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_image_prompts_are_used_without_dropout(model: PromptedCLIP, run) -> None:
    model.visual_prompt.dropout.p = 0.9
    other = copy.deepcopy(model)
    for seed, chosen in enumerate((model, other)):
        torch.manual_seed(seed)  # of which dropout would make use
        run(chosen.train())
    assert same(model, other)
    assert not model.training


def test_the_number_of_steps_is_fixed(model: PromptedCLIP, run) -> None:
    outcome = run(model, steps=5, evaluations=2)
    assert list(outcome.steps.columns) == ["step", "quality", "semantic", "cosine"]
    assert outcome.steps["step"].tolist() == [1, 2, 3, 4, 5]
    assert outcome.evaluated == [2, 5]
    assert outcome.predictions.shape == (2, IMAGES)


def test_the_last_predictions_are_those_of_the_trained_model(
    model: PromptedCLIP, features: Features, run, runtime: Runtime
) -> None:
    outcome = run(model)
    assert torch.equal(outcome.predictions[-1], predict(model, features, 1, runtime))


@pytest.mark.parametrize("evaluations", [1, 4])
def test_looking_at_the_test_part_changes_nothing(model: PromptedCLIP, run, evaluations: int) -> None:
    other = copy.deepcopy(model)
    run(model, evaluations=2)
    run(other, evaluations=evaluations)
    assert same(model, other)


def test_the_test_images_do_not_change_the_weights(model: PromptedCLIP, features: Features, run) -> None:
    other, order = copy.deepcopy(model), torch.randperm(IMAGES)
    outcome = run(model)
    turned = run(other, test=Features(features.tokens[order], features.embeddings[order], features.weights))
    assert same(model, other)
    torch.testing.assert_close(turned.predictions, outcome.predictions[:, order], rtol=1e-5, atol=1e-6)


def test_without_test_images_the_weights_are_the_same(model: PromptedCLIP, features: Features, run) -> None:
    other = copy.deepcopy(model)
    run(model)
    outcome = run(other, test=Features(features.tokens[:0], features.embeddings[:0], features.weights))
    assert same(model, other)
    assert outcome.predictions.shape == (2, 0)


@pytest.mark.parametrize(("seed", "equal"), [(1, True), (2, False)])
def test_training_follows_the_seed(model: PromptedCLIP, run, seed: int, equal: bool) -> None:
    other = copy.deepcopy(model)
    first, second = run(model, seed=1), run(other, seed=seed)
    assert same(model, other) == equal
    assert first.steps.equals(second.steps) == equal


def test_never_is_plain_optimisation(model: PromptedCLIP, labelled: Labelled, run, settings: Params) -> None:
    other = copy.deepcopy(model)
    run(model, qgr={"when": "never"})
    parameters = other.requires_grad_(False).tuned_parameters(2)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    tuned = settings.finetune.model_copy(update={"learning_rate": 0.01})
    optimiser, schedule = make_optimiser(parameters, tuned)
    generator = torch.Generator().manual_seed(1)
    batches = draw(labelled, tuned, generator)
    for images, views in zip(batches.images, batches.views):
        optimiser.zero_grad()
        logit = other.quality_logit(other.embed_from(labelled.tokens[images, views], start=1))
        quality_loss(logit, labelled.scores[images]).backward()
        optimiser.step()
        schedule.step()
    for name, value in weights(model).items():
        torch.testing.assert_close(value, weights(other)[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("rate", "moves"), [("learning_rate", "clip.visual."), ("text_learning_rate", "text")])
def test_each_tower_has_its_own_rate(model: PromptedCLIP, run, rate: str, moves: str) -> None:
    before = weights(model)
    run(model, **{"learning_rate": 1e-12, "text_learning_rate": 1e-12, "weight_decay": 0.0, rate: 0.01})
    far = {name for name in model.tuned_parameters(2) if (weights(model)[name] - before[name]).abs().max() > 1e-6}
    assert far == {name for name in model.tuned_parameters(2) if name.startswith("clip.visual.") == (moves != "text")}


def test_strength_zero_is_never_and_strength_five_is_not(model: PromptedCLIP, run) -> None:
    never, zero, five = model, copy.deepcopy(model), copy.deepcopy(model)
    run(never, qgr={"when": "never"})
    run(zero, qgr={"strength": 0.0})
    run(five, qgr={"strength": 5.0})
    assert same(never, zero)
    assert not same(never, five)


def test_the_scope_of_the_projection_reaches_the_weights(model: PromptedCLIP, run) -> None:
    other = copy.deepcopy(model)
    run(model, qgr={"when": "always", "scope": "tensor"})
    run(other, qgr={"when": "always", "scope": "global"})
    assert not same(model, other)


def test_training_fits_the_labelled_images(model: PromptedCLIP, run) -> None:
    quality = run(model, qgr={"when": "never"}, steps=40, batch=6)
    assert quality.steps["quality"].tail(3).mean() < quality.steps["quality"].head(3).mean() - 0.02


@pytest.mark.parametrize("when", ["aligned", "never"])
def test_the_angle_is_told_where_it_was_measured(model: PromptedCLIP, run, when: str) -> None:
    steps = run(model, qgr={"when": when}, steps=6, evaluations=2).steps.set_index("step")
    measured = [1, 3, 6] if when == "never" else [1, 2, 3, 4, 5, 6]
    assert steps.index[steps["cosine"].notna()].tolist() == measured
    assert steps["cosine"].dropna().between(-1, 1).all()
    assert steps["semantic"].notna().all()


def losses(model: PromptedCLIP, labelled: Labelled) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    parameters = list(model.tuned_parameters(2).values())
    for parameter in parameters:
        parameter.requires_grad_(True)
        with torch.no_grad():
            parameter.add_(0.02 * torch.randn_like(parameter))  # away from the teacher, where g_s is zero
    features = model.embed_from(labelled.tokens[:, 0], start=1)
    quality = quality_loss(model.quality_logit(features), labelled.scores)
    return quality, semantic_loss(model.scene_logits(features), labelled.teacher[:, 0]), parameters


def test_the_step_has_no_part_along_the_semantic_gradient(
    model: PromptedCLIP, labelled: Labelled, settings: Params
) -> None:
    quality, semantic, parameters = losses(model, labelled)
    g_q, g_s = (
        torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True, allow_unused=True)
        for loss in (quality, semantic)
    )
    found, angle = combine(quality, semantic, parameters, settings.qgr, torch.Generator())
    acted = 0
    for step, before, direction in zip(found, g_q, g_s, strict=True):
        aligned = (before * direction).sum() > 0
        acted += int(aligned)
        if aligned:
            assert abs((step * direction).sum()) <= 1e-5 * before.norm() * direction.norm()
        else:
            assert torch.equal(step, before)
    assert 0 < acted < len(found)
    flat_q, flat_s = (torch.cat([value.flatten() for value in gradient]) for gradient in (g_q, g_s))
    assert angle == pytest.approx(float(flat_q @ flat_s / flat_q.norm() / flat_s.norm()), rel=1e-4)


def test_without_a_semantic_loss_the_gradient_is_the_qualitys(
    model: PromptedCLIP, labelled: Labelled, settings: Params
) -> None:
    quality, _, parameters = losses(model, labelled)
    expected = torch.autograd.grad(quality, parameters, retain_graph=True)
    found, angle = combine(quality, None, parameters, settings.qgr, torch.Generator())
    assert angle.isnan()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_predictions_are_means_over_views_and_do_not_depend_on_the_batch(
    model: PromptedCLIP, features: Features, runtime: Runtime
) -> None:
    whole = predict(model, features, 1, runtime)
    views = [
        model.quality_logit(model.embed_from(features.tokens[:, view], start=1)).sigmoid() for view in range(VIEWS)
    ]
    torch.testing.assert_close(whole, sum(views) / VIEWS, rtol=1e-5, atol=1e-6)
    for batch in (1, 5):
        torch.testing.assert_close(predict(model, features, 1, runtime, batch), whole, rtol=1e-5, atol=1e-6)


def test_bf16_trains_and_keeps_weights_in_float32(
    model: PromptedCLIP, labelled: Labelled, features: Features, settings: Params
) -> None:
    half = Labelled(labelled.tokens.bfloat16(), labelled.scores, labelled.teacher, labelled.weights)
    test = Features(features.tokens.bfloat16(), features.embeddings, features.weights)
    runtime = Runtime(torch.device("cpu"), "bf16")
    outcome = finetune(model, half, test, settings.finetune, settings.qgr, runtime, torch.Generator().manual_seed(1))
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert outcome.predictions.dtype == torch.float32
    assert not pd.isna(outcome.steps[["quality", "semantic", "cosine"]]).any(axis=None)


def test_features_that_a_bf16_device_kept_can_be_tuned_on_in_float32(
    model: PromptedCLIP, labelled: Labelled, features: Features, settings: Params, runtime: Runtime
) -> None:
    rough = Labelled(labelled.tokens.bfloat16(), labelled.scores, labelled.teacher, labelled.weights)
    test = Features(features.tokens.bfloat16(), features.embeddings, features.weights)
    found, exact = (
        finetune(copy.deepcopy(model), some, part, settings.finetune, settings.qgr, runtime, torch.Generator())
        for some, part in ((rough, test), (labelled, features))
    )
    assert found.predictions.dtype == torch.float32
    torch.testing.assert_close(found.predictions, exact.predictions, rtol=0, atol=0.02)


@pytest.mark.parametrize("when", ["aligned", "never"])
def test_a_loss_that_is_none_stops_with_the_step_and_the_images(
    model: PromptedCLIP, labelled: Labelled, features: Features, settings: Params, runtime: Runtime, when: str
) -> None:
    labelled.tokens[2] = float("nan")
    named = dataclasses.replace(labelled, indices=torch.arange(100, 100 + IMAGES))
    whole = settings.finetune.model_copy(update={"batch": 50})
    rule, draws = settings.qgr.model_copy(update={"when": when}), torch.Generator().manual_seed(1)
    with pytest.raises(UserError, match=r"fine-tune: step 1: .*quality nan.*rows .*102.*learning_rate"):
        finetune(model, named, features, whole, rule, runtime, draws)


def test_a_learning_rate_without_measure_stops_the_run(model: PromptedCLIP, run) -> None:
    with pytest.raises(UserError, match=r"fine-tune: step [2-9]: not every number is finite"):
        run(model, learning_rate=1e38, steps=9)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_labels_that_are_all_alike_can_be_tuned_on(
    model: PromptedCLIP, labelled: Labelled, features: Features, settings: Params, runtime: Runtime, score: float
) -> None:
    alike = dataclasses.replace(labelled, scores=torch.full((IMAGES,), score))
    draws = torch.Generator().manual_seed(1)
    outcome = finetune(model, alike, features, settings.finetune, settings.qgr, runtime, draws)
    assert outcome.predictions.isfinite().all()


def test_one_labelled_image_is_a_batch(
    model: PromptedCLIP, labelled: Labelled, features: Features, settings: Params, runtime: Runtime
) -> None:
    one = Labelled(labelled.tokens[:1], labelled.scores[:1], labelled.teacher[:1], labelled.weights)
    draws = torch.Generator().manual_seed(1)
    outcome = finetune(model, one, features, settings.finetune, settings.qgr, runtime, draws)
    assert outcome.predictions.isfinite().all()
