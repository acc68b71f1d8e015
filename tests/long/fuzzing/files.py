"""Surfaces made of bytes: images, checkpoints and their cards, the ONNX file and the wheel that carries it."""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from onnx import helper, numpy_helper
from PIL import Image
from safetensors.torch import save

from fuzzing.mutation import mutated, regrown
from grmp import prior
from grmp.io import backbone, prior_file
from grmp.io.about import read_about
from grmp.io.identity import describe
from grmp.io.prompts_file import load_prompts, save_prompts
from grmp.io.tensors import read_checkpoint
from grmp.model import prompted
from grmp.probe import Probe, ProbeSettings
from grmp.scoring import scorer_file
from grmp.scoring.card import Card, HeldOut, Labels
from grmp.scoring.inputs import read_input
from grmp.scoring.scorer import Scorer
from grmp.settings import Input
from study import params
from study.data import onnx_tower
from study.data.onnx_tower import read_state
from study.stages.features import load as load_features

ROOT = Path(__file__).parents[3]
TINY = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


class Images:
    """Image files of every format that is read, and of some that are not."""

    FORMATS = (
        "JPEG",
        "PNG",
        "BMP",
        "TIFF",
        "WEBP",
        "GIF",
        "PPM",
        "JPEG2000",
        "AVIF",
        "TGA",
        "ICO",
        "EPS",
        "PDF",
        "PCX",
    )

    def __init__(self, folder: Path) -> None:
        self.path = folder / "image"
        self.seeds = [*self._written(), *self._headers()]

    def _written(self) -> list[bytes]:
        noise = np.random.default_rng(0).integers(0, 255, (34, 40, 4), np.uint8)
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "maker"
        found = []
        for form in self.FORMATS:
            for mode in ("RGB", "RGBA", "L", "P", "CMYK", "1", "I;16"):
                image = Image.fromarray(noise[..., :3]).convert(mode) if mode != "I;16" else Image.new(mode, (40, 34))
                buffer = io.BytesIO()
                try:
                    image.save(buffer, form, exif=exif)
                except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not every mode can be kept so
                    continue
                found.append(buffer.getvalue())
        for options in ({"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"compression": "tiff_adobe_deflate"}):
            buffer = io.BytesIO()
            Image.fromarray(noise[..., :3]).save(buffer, "TIFF", **options)
            found.append(buffer.getvalue())
        for form in ("GIF", "PNG", "WEBP"):
            buffer, still = io.BytesIO(), Image.fromarray(noise[..., :3])
            still.save(
                buffer, form, save_all=True, append_images=[still.transpose(Image.Transpose.FLIP_LEFT_RIGHT)] * 2
            )
            found.append(buffer.getvalue())
        return found

    @staticmethod
    def _headers() -> list[bytes]:
        """Headers that promise more than the file holds."""
        found = [
            b"P5 60000 60000 255\n",
            b"P3 9000 9000 255\n" + b"1 " * 50,
            b"P6 -5 5 255\n",
            b"II*\x00\xff\xff\xff\xff",
        ]
        for width, height in ((9000, 9000), (60000, 60000), (2**31 - 1, 1), (0, 0)):
            body = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
            found.append(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + body + struct.pack(">I", zlib.crc32(body)))
            found.append(
                b"GIF89a" + struct.pack("<2H3B", width & 0xFFFF, height & 0xFFFF, 0, 0, 0) + b",\x00\x00\x00\x00"
            )
        return found

    def inputs(self) -> SearchStrategy[bytes]:
        numbers = [
            struct.pack(order + kind, value)
            for order in "<>"
            for kind, value in (("I", 65535), ("I", 2**31), ("H", 40000), ("H", 0))
        ]
        return st.one_of(mutated(self.seeds, numbers), mutated(self.seeds, numbers, most=1), st.binary(max_size=64))

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(content)
        found = read_input(self.path)
        assert found.dtype == torch.uint8
        assert found.shape[0] == 3
        assert min(found.shape[1:]) >= 32


def tensors_file(header: object, body: bytes) -> bytes:
    """A safetensors file with any JSON as its header."""
    text = json.dumps(header).encode("utf-8", "replace")
    return struct.pack("<Q", len(text)) + text + body


def parts_of(content: bytes) -> tuple[object, bytes]:
    """Header and body of a right safetensors file."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


NAMES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "I64", "U64", "U16", "BOOL", "C64")
TENSOR_TOKENS = (*(f'"{name}"'.encode() for name in NAMES), b"[0,", b"[]", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff")


def _mangled(contents: list[bytes]) -> SearchStrategy[bytes]:
    """Right safetensors files with another header, other dtypes, other bytes."""
    parts = [parts_of(content) for content in contents]
    headers = st.one_of([st.tuples(regrown(header), st.just(body)) for header, body in parts])
    numbers = st.sampled_from([b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f", b"\x00\x00\x80\xff"])
    bodies = st.tuples(st.sampled_from(parts), numbers, st.integers(0, 99)).map(
        lambda drawn: (drawn[0][0], _put(drawn[0][1], drawn[1], drawn[2]))
    )
    return st.one_of(
        headers.map(lambda both: tensors_file(*both)),
        bodies.map(lambda both: tensors_file(*both)),
        mutated(contents, TENSOR_TOKENS),
    )


def _put(body: bytes, number: bytes, place: int) -> bytes:
    at = 4 * (place % max(1, len(body) // 4))
    return body[:at] + number + body[at + 4 :]


class Tensors:
    """Features, prompts and priors: read whole, every number finite."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file.safetensors"
        torch.manual_seed(0)
        self.settings = params.load(ROOT / "params.yaml").prompts.model_copy(update={"image_tokens": 2, "depth": 1})
        self.clip = backbone.build(TINY)
        save_prompts(self.path, prompted(self.clip, self.settings))
        some = {
            "tokens": torch.rand(2, 2, 3, 4).bfloat16(),
            "embeddings": torch.rand(2, 2, 4),
            "weights": torch.ones(2) / 2,
        }
        self.seeds = [self.path.read_bytes(), save(some), save(some, {"about": '{"x": "y"}'}), save({})]
        self.model = load_prompts(self.path, self.clip, self.settings)
        taught = prior.learn(torch.rand(8, 2, self.clip.visual.output_dim), torch.rand(8), [*"aaaabbbb"])
        prior_file.save(self.path, taught, self.model, (1, 2))
        self.seeds.append(self.path.read_bytes())

    def inputs(self) -> SearchStrategy[bytes]:
        return _mangled(self.seeds)

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(content)
        about, values = read_checkpoint(self.path)
        assert isinstance(about, dict)
        assert all(torch.isfinite(value.double()).all() for value in values.values()), "not every number is finite"
        if "tokens" in values:
            assert load_features(self.path).at(torch.arange(1)).tokens.ndim == 4
        elif "moved" in values:
            assert np.isfinite(prior_file.load(self.path, self.model, (1, 2)).root(3.0)).all()
        else:
            load_prompts(self.path, self.clip, self.settings)


def _card(settings: params.Params) -> Card:
    return Card(
        version="1",
        backbone="tiny",
        labels=Labels(data="scores.csv", images=9, low=1, high=5, range_given=True),
        held_out=HeldOut(images=6, srcc=0.8, plcc=0.75, rmse=0.1, how="by another"),
        computed="cpu, fp32",
        parameters={"image": settings.image.model_dump(mode="json")},
    )


class Scorers:
    """Scoring checkpoints: what is loaded scores, and says what it is."""

    def __init__(self, folder: Path) -> None:
        self.path, clip_path = folder / "file.safetensors", folder / "clip.safetensors"
        torch.manual_seed(0)
        settings = params.load(ROOT / "params.yaml")
        few = settings.prompts.model_copy(update={"image_tokens": 2, "depth": 1})
        clip = backbone.build(TINY)
        backbone.save(clip_path, clip, TINY, settings.backbone)
        probe = Probe(ProbeSettings(blocks=(1,), share=0.5), clip.visual.output_dim)
        scorer = Scorer(prompted(clip, few), Input(views=((40, 2),), crop=32), probe)
        scorer_file.save(self.path, scorer, clip_path, few, _card(settings))
        self.header, self.body = parts_of(self.path.read_bytes())
        self.about = {name: json.loads(text) for name, text in read_about(self.path).items()}

    def inputs(self) -> SearchStrategy[bytes]:
        # The weights stay out: they are the same in every input, and large.
        return st.one_of(regrown(self.about).map(self._header), mutated([self._header(self.about)], TENSOR_TOKENS, 2))

    def _header(self, about: object) -> bytes:
        entries = {name: json.dumps(value) for name, value in about.items()} if isinstance(about, dict) else about
        return json.dumps(self.header | {"__metadata__": {"about": json.dumps(entries)}}).encode("utf-8", "replace")

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(struct.pack("<Q", len(content)) + content + self.body)
        scorer = scorer_file.load(self.path, "cpu")
        assert 0 <= scorer(torch.rand(1, 3, 40, 40)).item() <= 1
        assert scorer_file.read_card(self.path).text()


class Cards(Scorers):
    """The card alone."""

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(struct.pack("<Q", len(content)) + content + self.body)
        lines = scorer_file.read_card(self.path).text().splitlines()
        assert all(line.isprintable() for line in lines), "control characters in a card"


class Backbones(Scorers):
    """The weights of CLIP, which say which CLIP they are."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "clip.safetensors"
        self.header, self.body = parts_of(self.path.read_bytes())
        self.about = {name: json.loads(text) for name, text in read_about(self.path).items()}

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(struct.pack("<Q", len(content)) + content + self.body)
        clip = backbone.load(self.path, 32)
        assert torch.isfinite(clip.encode_image(torch.rand(1, 3, 32, 32))).all()
        assert describe(self.path).isprintable()


def _tower() -> bytes:
    """A graph of one product and two plain tensors, as the wheel's is made of many."""
    random = np.random.default_rng(0)
    values = {
        "onnx::MatMul_0_quantized": random.integers(-9, 9, (4, 2)).astype(np.int8),
        "onnx::MatMul_0_scale": np.ones(2, np.float32),
        "onnx::MatMul_0_zero_point": np.zeros(2, np.int8),
        **{f"vision_model.{name}": np.ones((2, 2), np.float32) for name in onnx_tower._PLAIN},
    }
    node = helper.make_node(
        "MatMulInteger", ["x", "onnx::MatMul_0_quantized"], ["y"], "/visual_projection/MatMul_quant"
    )
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    return helper.make_model(helper.make_graph([node], "tower", [], [], tensors)).SerializeToString()


class Tower:
    """The ONNX file of the image tower."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tower.onnx"
        (folder / "outside").write_bytes(b"\0" * 64)
        outside = onnx.TensorProto(name="vision_model.post_layernorm.bias", data_type=1, dims=[2, 2], data_location=1)
        for key, value in (("location", "../../etc/hostname"), ("length", "16")):
            outside.external_data.add(key=key, value=value)
        model = onnx.ModelProto.FromString(_tower())
        model.graph.initializer.append(outside)
        self.seeds = [_tower(), model.SerializeToString()]

    def inputs(self) -> SearchStrategy[bytes]:
        return mutated(
            self.seeds, (b"location", b"/etc/hostname", b"\xff" * 9, b"encoder.layers.99999999.", b"_quantized")
        )

    def feed(self, content: bytes) -> None:
        self.path.write_bytes(content)
        assert all(value.dtype == torch.float32 for value in read_state(self.path).values())


class Wheel:
    """The wheel: whatever it holds, nothing but the one file is written, and that only under its known hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.into = folder / "into"
        self.into.mkdir()
        onnx_tower.ONNX_SHA256 = hashlib.sha256(b"tower").hexdigest()
        self.seeds = [
            self._zip({onnx_tower.MEMBER: b"tower"}),
            self._zip({onnx_tower.MEMBER: b"tower", "../escaped": b"x", "/tmp/escaped": b"x"}),
            self._zip({onnx_tower.MEMBER: b"another"}),
            self._zip({onnx_tower.MEMBER: b"\0" * 100_000}),
            self._zip({"../" + onnx_tower.MEMBER: b"tower"}),
        ]

    @staticmethod
    def _zip(members: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    def inputs(self) -> SearchStrategy[bytes]:
        return mutated(self.seeds, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"../", b"\x00\x00\xff\xa1"))

    def feed(self, content: bytes) -> None:
        wheel = self.folder / "package.whl"
        wheel.write_bytes(content)
        try:
            found = onnx_tower.unpack(wheel, self.into)
            assert found.read_bytes() == b"tower"
        finally:
            left = {path.name for path in self.into.iterdir()}
            beside = {path.name for path in self.folder.iterdir()} - {"package.whl", "into", "current"}
            for path in self.into.iterdir():
                path.unlink()
            assert left <= {onnx_tower.FILE}, left
            assert not {name for name in beside if not name.startswith("failure-")}, beside
