import pytest
import torch

from grmp.projection import When, project

SEEDS = pytest.mark.parametrize("seed", range(8))
EXACT = {"rtol": 1e-10, "atol": 1e-12}


def pair(seed: int, sign: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A gradient and a direction with an inner product of this sign."""
    generator = torch.Generator().manual_seed(seed)
    gradient, direction = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    return gradient, direction * torch.sign((gradient * direction).sum()) * sign


def remove_component(
    gradient: torch.Tensor, direction: torch.Tensor, strength: float = 1.0, when: When = "aligned"
) -> torch.Tensor:
    """`project` of a single tensor."""
    return project([gradient], [direction], strength, when, "tensor").gradients[0]


def inner(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).sum())


@SEEDS
def test_at_strength_one_the_result_is_orthogonal_to_the_direction(seed: int) -> None:
    gradient, direction = pair(seed)
    found = remove_component(gradient, direction)
    assert inner(found, direction) == pytest.approx(0, abs=1e-12)
    assert found.norm() < gradient.norm()


@SEEDS
def test_what_is_orthogonal_to_the_direction_stays(seed: int) -> None:
    gradient, direction = pair(seed)
    aside = torch.randn(3, 4, dtype=torch.float64)
    aside -= inner(aside, direction) / inner(direction, direction) * direction
    assert inner(remove_component(gradient, direction, 5.0), aside) == pytest.approx(inner(gradient, aside))


@SEEDS
def test_gradients_in_conflict_are_left_alone(seed: int) -> None:
    gradient, direction = pair(seed, sign=-1)
    assert torch.equal(remove_component(gradient, direction, 5.0), gradient)


@SEEDS
def test_conflict_is_the_mirrored_case(seed: int) -> None:
    gradient, direction = pair(seed)
    assert torch.equal(remove_component(gradient, direction, when="conflict"), gradient)
    mirrored = remove_component(gradient, -direction, when="conflict")
    torch.testing.assert_close(mirrored, remove_component(gradient, direction), **EXACT)


@SEEDS
@pytest.mark.parametrize("sign", [1, -1])
def test_always_acts_in_both_cases_and_never_in_none(seed: int, sign: int) -> None:
    gradient, direction = pair(seed, sign)
    assert inner(remove_component(gradient, direction, when="always"), direction) == pytest.approx(0, abs=1e-12)
    assert torch.equal(remove_component(gradient, direction, when="never"), gradient)


@pytest.mark.parametrize("when", ["aligned", "conflict", "always", "never"])
def test_a_zero_direction_removes_nothing(when: str) -> None:
    gradient = torch.randn(5)
    for direction in (torch.zeros(5), torch.full((5,), 1e-30)):  # the square of the latter is zero in float32
        assert torch.equal(remove_component(gradient, direction, 5.0, when), gradient)


@pytest.mark.parametrize("when", ["aligned", "conflict", "always"])
def test_a_zero_gradient_stays_zero(when: str) -> None:
    assert torch.equal(remove_component(torch.zeros(5), torch.randn(5), 5.0, when), torch.zeros(5))


@SEEDS
def test_strength_one_is_idempotent(seed: int) -> None:
    gradient, direction = pair(seed)
    once = remove_component(gradient, direction)
    torch.testing.assert_close(remove_component(once, direction), once, **EXACT)


@SEEDS
def test_strength_two_is_the_mirror_image(seed: int) -> None:
    gradient, direction = pair(seed)
    found = remove_component(gradient, direction, 2.0)
    assert found.norm() == pytest.approx(gradient.norm())
    assert inner(found, direction) == pytest.approx(-inner(gradient, direction))


@SEEDS
@pytest.mark.parametrize(("strength", "left"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (5.0, -4.0)])
def test_of_the_aligned_part_one_minus_the_strength_is_left(seed: int, strength: float, left: float) -> None:
    gradient, direction = pair(seed)
    found = remove_component(gradient, direction, strength)
    assert inner(found, direction) == pytest.approx(left * inner(gradient, direction), abs=1e-12)


@SEEDS
@pytest.mark.parametrize("scale", [1e-6, 3.0, 1e6])
def test_the_length_of_the_direction_does_not_matter(seed: int, scale: float) -> None:
    gradient, direction = pair(seed)
    torch.testing.assert_close(
        remove_component(gradient, scale * direction), remove_component(gradient, direction), **EXACT
    )


def test_the_formula_on_numbers() -> None:
    gradient, direction = torch.tensor([3.0, 4.0]), torch.tensor([2.0, 0.0])
    assert remove_component(gradient, direction, 0.5).tolist() == [1.5, 4.0]


# Two tensors: the first pair is aligned (inner product 4), the second in conflict (-2); together they are aligned (2).
QUALITY = [torch.tensor([[2.0, 1.0]]), torch.tensor([1.0, 1.0, 0.0])]
SEMANTIC = [torch.tensor([[2.0, 0.0]]), torch.tensor([-2.0, 0.0, 0.0])]


@pytest.mark.parametrize(
    ("scope", "when", "expected"),
    [
        ("tensor", "aligned", [[[0.0, 1.0]], [1.0, 1.0, 0.0]]),
        ("tensor", "conflict", [[[2.0, 1.0]], [0.0, 1.0, 0.0]]),
        ("tensor", "always", [[[0.0, 1.0]], [0.0, 1.0, 0.0]]),
        ("global", "aligned", [[[1.5, 1.0]], [1.5, 1.0, 0.0]]),  # a quarter of the direction: 2 / 8
        ("global", "conflict", [[[2.0, 1.0]], [1.0, 1.0, 0.0]]),
        ("global", "never", [[[2.0, 1.0]], [1.0, 1.0, 0.0]]),
    ],
)
def test_the_scopes_on_numbers(scope: str, when: str, expected: list) -> None:
    assert [found.tolist() for found in project(QUALITY, SEMANTIC, 1.0, when, scope).gradients] == expected


@pytest.mark.parametrize("scope", ["tensor", "global"])
def test_shapes_stay_and_the_given_gradients_are_not_changed(scope: str) -> None:
    quality, semantic = [value.clone() for value in QUALITY], [value.clone() for value in SEMANTIC]
    found = project(quality, semantic, 5.0, "aligned", scope).gradients
    assert [value.shape for value in found] == [value.shape for value in QUALITY]
    assert all(torch.equal(value, before) for value, before in zip(quality + semantic, QUALITY + SEMANTIC))


@pytest.mark.parametrize("scope", ["tensor", "global"])
@pytest.mark.parametrize("when", ["aligned", "never"])
def test_the_cosine_is_that_of_all_tensors_together_before_the_projection(scope: str, when: str) -> None:
    assert project(QUALITY, SEMANTIC, 1.0, when, scope).cosine == pytest.approx(2 / (7**0.5 * 8**0.5))


def test_the_cosine_with_a_zero_gradient_is_zero() -> None:
    none = [torch.zeros_like(value) for value in QUALITY]
    assert project(QUALITY, none, 1.0, "aligned", "tensor").cosine == 0
    assert project(none, SEMANTIC, 1.0, "aligned", "tensor").cosine == 0
