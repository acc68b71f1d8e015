"""JPEG 2000 and JPEG, both through real files (KADID-10k types 9 and 10)."""

import io
from typing import Any

import numpy as np
from PIL import Image as Pillow

from study.data.distortions.core import Distortion, Image


def encode(image: Image, **options: Any) -> bytes:
    """The file that Pillow writes for `image` with these options of `PIL.Image.Image.save`."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def decode(data: bytes) -> Image:
    """The image in a file's bytes."""
    return np.array(Pillow.open(io.BytesIO(data)))


def jpeg2000(image: Image, ratio: float, generator: np.random.Generator) -> Image:
    """JPEG 2000 (OpenJPEG, lossy wavelet) at compression ratio `ratio`.

    The file's own header is about 200 bytes, so that images under about 128 pixels a side cannot reach the high ratios.
    """
    # Pillow leaves the colour transform out unless asked (mct), which costs 5 dB at the same size.
    options = {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "mct": 1}
    return decode(encode(image, format="JPEG2000", **options))


def jpeg(image: Image, quality: float, generator: np.random.Generator) -> Image:
    """JPEG (libjpeg, chroma at half resolution) at `quality` of 100."""
    return decode(encode(image, format="JPEG", quality=int(quality), subsampling="4:2:0"))


# Strengths: imdist_generator.m, cases 9 and 10. Compression ratio to one, libjpeg's quality.
COMPRESSION = (
    Distortion(9, "jpeg2000", "JPEG 2000", "compression", (16, 32, 45, 120, 400), jpeg2000),
    Distortion(10, "jpeg", "JPEG", "compression", (43, 36, 24, 7, 4), jpeg),
)
