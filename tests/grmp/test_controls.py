"""The controls that tell whether QGR's effect is its direction, or a smaller step."""

import torch

from grmp.finetune import combine
from grmp.projection import project, random_directions, with_lengths
from grmp.settings import Qgr


def drawn(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in ((4, 3), (5,))]


def test_random_directions_have_the_lengths_of_the_semantic_gradient_and_another_direction() -> None:
    semantic = drawn(1)
    random = random_directions(semantic, torch.Generator().manual_seed(2))
    for r, d in zip(random, semantic):
        torch.testing.assert_close(r.norm(), d.norm())
        assert abs(torch.cosine_similarity(r.flatten(), d.flatten(), dim=0)) < 0.9
    again = random_directions(semantic, torch.Generator().manual_seed(2))
    assert all(torch.equal(a, b) for a, b in zip(random, again))


def test_the_plain_gradient_at_the_projected_length_keeps_its_direction() -> None:
    quality, semantic = drawn(1), drawn(3)
    projected = project(quality, semantic, 1.0, "always", "tensor").gradients
    for g, short, p in zip(quality, with_lengths(quality, projected), projected):
        torch.testing.assert_close(short.norm(), p.norm())
        torch.testing.assert_close(torch.cosine_similarity(short.flatten(), g.flatten(), dim=0), torch.tensor(1.0))


def test_a_zero_gradient_stays_zero() -> None:
    zero = [torch.zeros(3)]
    assert torch.equal(with_lengths(zero, zero)[0], zero[0])


def test_each_control_takes_the_place_of_qgr_in_fine_tuning() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0, 0.5]))

    def gradient(control: str) -> torch.Tensor:
        rule = Qgr(when="aligned", strength=1.0, scope="tensor", control=control)
        generator = torch.Generator().manual_seed(0)
        losses = ((parameter * value).sum() for value in (torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0])))
        return combine(*losses, [parameter], rule, generator).gradients[0]

    torch.testing.assert_close(gradient("none"), torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(gradient("length"), torch.tensor([1.0, 1.0, 0.0]) / 2**0.5)
    random = random_directions([torch.tensor([1.0, 0.0, 0.0])], torch.Generator().manual_seed(0))
    expected = project([torch.tensor([1.0, 1.0, 0.0])], random, 1.0, "aligned", "tensor").gradients[0]
    torch.testing.assert_close(gradient("random_direction"), expected)
