from pathlib import Path

import numpy as np
import pytest
import torch

from grmp.crops import to_float
from grmp.errors import UserError
from grmp.io.prior_file import load, save
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.metrics import srcc
from grmp.model import PromptedCLIP
from grmp.prior import Prior, embed, learn
from grmp.regression import fit_bayes
from grmp.runtime import Runtime

PHOTOGRAPHS, VERSIONS, CHANNELS = 30, 12, 40


def distorted(seed: int) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Embeddings behind two blocks, the same but for the order of channels.

    The photograph moves every channel far, and a distortion one of them a little: the second, or the last but one.
    """
    generator = torch.Generator().manual_seed(seed)
    content = torch.randn(PHOTOGRAPHS, 1, CHANNELS, generator=generator).expand(-1, VERSIONS, -1)
    severity = torch.rand(PHOTOGRAPHS, VERSIONS, generator=generator)
    embeddings = content.clone()
    embeddings[..., 1] -= 2 * severity
    names = [f"p{number}" for number in range(PHOTOGRAPHS) for _ in range(VERSIONS)]
    both = torch.stack([embeddings, embeddings.flip(-1)], dim=2)
    return both.flatten(0, 1), 1 - severity.flatten(), names


def test_what_distortions_move_is_known_from_what_photographs_differ_in() -> None:
    found = learn(*distorted(1))
    for block, channel in enumerate([1, CHANNELS - 2]):
        assert found.moved[block].diagonal().argmax() == channel
        assert found.moved[block, channel, channel] > 0.99 * found.moved[block].trace()
        assert found.direction[block].abs().argmax() == channel


def test_every_part_explains_the_same_variance_of_what_it_was_learned_from() -> None:
    embeddings, scores, names = distorted(1)
    found, centred = learn(embeddings, scores, names), embeddings[:, 1].double() - embeddings[:, 1].double().mean(dim=0)
    total = centred.T @ centred / len(centred)
    moved, direction, spread = (part[1] for part in vars(found).values())
    parts = [torch.eye(CHANNELS) / spread, moved, torch.outer(direction, direction)]
    assert [float((total * part).sum()) for part in parts] == pytest.approx([1.0, 1.0, 1.0])


def test_the_root_squared_is_the_covariance_and_without_strength_all_weights_are_alike(prior: Prior) -> None:
    root = prior.root(3.0)
    np.testing.assert_allclose(root @ root, prior.covariance(3.0), atol=1e-12)
    np.testing.assert_allclose(prior.root(0.0), np.eye(16) / np.sqrt(prior.spread.numpy())[:, None, None], atol=1e-12)


def test_few_labels_go_further_with_the_prior() -> None:
    found = learn(*distorted(1))
    seen, scores, _ = distorted(2)
    few = torch.randperm(len(seen), generator=torch.Generator().manual_seed(3))[:8]
    rest = np.setdiff1d(np.arange(len(seen)), few)

    def agreement(root: np.ndarray) -> float:
        mapped = seen[:, 0].numpy() @ root
        weight, bias = fit_bayes(mapped[few], scores[few].numpy()).coefficients()
        return srcc(mapped[rest] @ weight + bias, scores[rest].numpy())

    assert agreement(found.root(3.0)[0]) > agreement(np.eye(CHANNELS)) + 0.1


@pytest.mark.parametrize("blocks", [[1], [2, 1], [9, 2]])
def test_embeddings_are_those_that_the_probe_reads(model: PromptedCLIP, runtime: Runtime, blocks: list[int]) -> None:
    crops = torch.randint(0, 256, (3, 2, 3, 48, 48), dtype=torch.uint8)
    _, each = model.encode_along(to_float(crops.flatten(0, 1)), blocks)
    expected = 0.75 * each[::2] + 0.25 * each[1::2]
    found = embed(model, crops, torch.tensor([0.75, 0.25]), blocks, runtime)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_images_that_teach_nothing_are_refused() -> None:
    embeddings, scores, names = distorted(1)
    with pytest.raises(UserError, match=r"pretrain\.source"):
        learn(embeddings, scores, [str(number) for number in range(len(names))])
    with pytest.raises(UserError, match=r"pretrain\.source"):
        learn(embeddings, torch.full_like(scores, 0.5), names)


@pytest.fixture
def kept(prior: Prior, model: PromptedCLIP, tmp_path: Path) -> Path:
    """A prior on disk, for the model's prompts and its three blocks."""
    path = tmp_path / "prior.safetensors"
    save(path, prior, model, (1, 2, 3))
    return path


def test_a_prior_comes_back(kept: Path, prior: Prior, model: PromptedCLIP) -> None:
    found = load(kept, model, (1, 2, 3))
    assert all(torch.equal(one, other) for one, other in zip(vars(found).values(), vars(prior).values()))


def test_a_prior_of_other_blocks_or_of_other_prompts_is_refused(kept: Path, model: PromptedCLIP) -> None:
    with pytest.raises(UserError, match=r"other finetune\.probe_blocks"):
        load(kept, model, (1, 2))
    with torch.no_grad():
        model.text_prompt.context += 0.1
    with pytest.raises(UserError, match="made for other prompts"):
        load(kept, model, (1, 2, 3))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"moved": torch.eye(2, dtype=torch.float64)}, "holds no prior of 16 channels"),
        ({"direction": torch.zeros(3, 16, dtype=torch.int64)}, "holds no prior of 16 channels"),
        ({"spread": torch.zeros(3, dtype=torch.float64)}, "that no embeddings have"),
        ({"moved": torch.full((3, 16, 16), 1e300, dtype=torch.float64)}, "that no embeddings have"),
    ],
)
def test_a_file_that_holds_something_else_is_named(
    kept: Path, prior: Prior, model: PromptedCLIP, change: dict[str, torch.Tensor], complaint: str
) -> None:
    about, _ = read_checkpoint(kept)
    write_tensors(kept, vars(prior) | change, about)
    with pytest.raises(UserError, match=complaint):
        load(kept, model, (1, 2, 3))
