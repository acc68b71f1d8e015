"""Crops that are drawn anew for every step, and fine-tuning on them."""

import pytest
import torch
from open_clip import CLIP
from torch import Tensor

from grmp.crops import squash
from grmp.errors import UserError
from grmp.features import Features, frozen_features
from grmp.finetune import Outcome, finetune, label, make_optimiser
from grmp.model import PromptedCLIP, unprompted
from grmp.runtime import Runtime
from study.params import Params
from study.stages.fresh_crops import FreshCrops, squash_aliased

ROWS, COLUMNS = torch.meshgrid(torch.arange(56), torch.arange(56), indexing="ij")


@pytest.fixture
def images() -> Tensor:
    """Five squares whose pixels tell where they are, and, in the third channel, which image it is."""
    places = torch.stack([ROWS, COLUMNS]).byte()
    return torch.stack([torch.cat([places, torch.full((1, 56, 56), 10 * number)]) for number in range(5)]).byte()


@pytest.fixture
def fresh(images: Tensor, clip: CLIP, settings: Params) -> FreshCrops:
    untouched = unprompted(clip, settings.prompts).eval()
    return FreshCrops(
        images[:, None], torch.linspace(0, 1, 5), torch.empty(0), torch.ones(1), torch.arange(5), untouched, 48
    )


@pytest.fixture
def seen(model: PromptedCLIP, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the model is shown, as bytes."""
    found, before = [], type(model).tokens_before

    def spy(self: PromptedCLIP, crops: Tensor, stop: int) -> Tensor:
        found.append((crops * 255).round().byte())
        return before(self, crops, stop)

    monkeypatch.setattr(type(model), "tokens_before", spy)
    return found


def see(fresh: FreshCrops, model: PromptedCLIP, runtime: Runtime, times: int) -> list[tuple[Tensor, Tensor]]:
    generator, chosen = torch.Generator().manual_seed(2), torch.tensor([3, 1, 4])
    return [fresh.see(model, 1, (chosen, torch.zeros(3, dtype=int)), runtime, generator) for _ in range(times)]


def test_one_crop_and_one_flip_for_the_whole_batch_anew_every_step(fresh, model, runtime, seen) -> None:
    see(fresh, model, runtime, 12)
    students, teachers = seen[::2], seen[1::2]
    assert all(torch.equal(student, teacher) for student, teacher in zip(students, teachers))
    for crops in students:
        assert crops.shape == (3, 3, 48, 48)
        assert torch.equal(crops[:, :2], crops[:1, :2].expand(3, -1, -1, -1))  # of one place
        assert crops[:, 2, 0, 0].tolist() == [30, 10, 40]
    places = {(int(crops[0, 0, 0, 0]), int(crops[0, 1].min())) for crops in students}
    mirrored = [bool(crops[0, 1, 0, 0] > crops[0, 1, 0, 1]) for crops in students]
    assert len(places) > 6
    assert 0 < sum(mirrored) < 12


def test_tokens_and_scenes_are_those_of_the_crops(fresh, model, runtime, seen) -> None:
    ((tokens, scenes),) = see(fresh, model, runtime, 1)
    crops = seen[0].float() / 255
    with torch.no_grad():
        assert torch.allclose(tokens, model.tokens_before(crops, 1), atol=1e-6)
        assert torch.allclose(scenes, fresh.untouched.scene_logits(fresh.untouched.encode_image(crops)), atol=1e-4)
    assert not tokens.requires_grad


def test_the_published_square_keeps_what_antialiasing_would_remove() -> None:
    stripes = (torch.arange(256) % 2 * 255).byte().expand(3, 256, 256)
    assert squash(stripes, 61).float().std() < 10 < squash_aliased(stripes, 61).float().std()
    flat = torch.full((3, 30, 40), 77, dtype=torch.uint8)
    assert torch.equal(squash_aliased(flat, 244), torch.full((3, 244, 244), 77, dtype=torch.uint8))


def tune(labelled, model: PromptedCLIP, settings: Params, runtime: Runtime, look=None, **changes: object) -> Outcome:
    crops = torch.randint(0, 256, (6, 1, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    test: Features = frozen_features(model.eval(), crops, 1, runtime, "test")
    changes = {"optimiser": "sgd", "crops": "batch", "steps": 6, "evaluations": 3} | changes
    section, draws = settings.finetune.model_copy(update=changes), torch.Generator().manual_seed(3)
    torch.manual_seed(5)
    return finetune(model, labelled, test, section, settings.qgr, runtime, draws, look=look)


def test_fine_tuning_on_fresh_crops_trains_text_and_last_blocks_alone(fresh, model, settings, runtime) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tune(fresh, model, settings, runtime)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert changed <= set(model.tuned_parameters(settings.finetune.blocks))
    assert not any(name.startswith("visual_prompt") for name in changed)


@pytest.mark.parametrize("dropout", [False, True])
def test_the_prompts_dropout_is_on_in_steps_on_request_and_never_in_a_test(
    fresh, model, settings, runtime, dropout: bool
) -> None:
    modes: list[tuple[bool, bool]] = []  # in training mode, and with gradients, which a test has not
    model.visual_prompt.dropout.register_forward_hook(
        lambda module, *_: modes.append((module.training, torch.is_grad_enabled()))
    )
    tune(fresh, model, settings, runtime, dropout=dropout)
    assert {training for training, gradients in modes if gradients} == {dropout}
    steps_on_frozen_blocks = {training for training, gradients in modes if not gradients}
    assert steps_on_frozen_blocks == ({False, True} if dropout else {False})


def test_descent_has_no_momentum_and_decays_weights(model: PromptedCLIP, settings: Params) -> None:
    section = settings.finetune.model_copy(
        update={"optimiser": "sgd", "learning_rate": 0.1, "text_learning_rate": 0.01, "weight_decay": 0.5}
    )
    tuned = model.tuned_parameters(1)
    optimiser, schedule = make_optimiser(tuned, section)
    name, text = "clip.visual.ln_post.weight", "clip.ln_final.weight"
    for _ in range(2):
        before = {key: tuned[key].detach().clone() for key in (name, text)}
        for value in tuned.values():
            value.grad = torch.full_like(value, 2.0)
        optimiser.step()
        schedule.step()
        for key, rate in ((name, 0.1), (text, 0.01)):
            assert torch.allclose(tuned[key], before[key] - rate * (2.0 + 0.5 * before[key]), atol=1e-6)


def test_a_look_is_shown_every_evaluation_and_ends_training(fresh, model, settings, runtime) -> None:
    shown: list[Tensor] = []

    def look(optimiser: torch.optim.Optimizer, predictions: Tensor) -> bool:
        shown.append(predictions)
        return len(shown) == 2

    outcome = tune(fresh, model, settings, runtime, look, protocol="published")
    assert outcome.evaluated == [2, 4]
    assert torch.equal(outcome.predictions, torch.stack(shown))
    assert outcome.steps["step"].tolist() == [1, 2, 3, 4]


def test_a_rate_that_a_look_lowers_stays_lowered(fresh, model, settings, runtime) -> None:
    def halve(optimiser: torch.optim.Optimizer, _: Tensor) -> bool:
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.param_groups[0]["lr"] /= 2
        return False

    rates: list[float] = []
    tune(fresh, model, settings, runtime, halve, protocol="published", learning_rate=0.4)
    assert rates == pytest.approx([0.4, 0.2, 0.1])


@pytest.mark.parametrize("changes", [{"protocol": "published"}, {"crops": "batch"}])
def test_what_only_the_published_measurement_gives_is_not_silently_left_out(
    model, settings, runtime, changes: dict[str, str]
) -> None:
    seen = Features(torch.zeros(5, 2, 10, 64), torch.ones(5, 2, 16), torch.full((2,), 0.5))
    with torch.no_grad():
        cached = label(model, seen, torch.rand(5))
    with pytest.raises(UserError, match="make published"):
        tune(cached, model, settings, runtime, **({"crops": "fixed"} | changes))
