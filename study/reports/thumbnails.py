"""Small pictures that travel inside a page."""

import base64
import io

from PIL import Image, ImageOps


def data_uri(image: Image.Image, quality: int = 75) -> str:
    """The picture as a JPEG (`quality` 1 to 95) that stands in the page itself; about 3 kB for 128 x 96 pixels."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def top(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture's upper part at `width` pixels, on white: of a tall sheet its first rows, of a figure the whole."""
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    scaled = paper.convert("RGB").resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
    if scaled.height >= height:
        return scaled.crop((0, 0, width, height))
    return ImageOps.pad(scaled, (width, height), color="white")


def small(image: Image.Image, side: int) -> Image.Image:
    """The picture at no more than `side` pixels a side."""
    copy = image.convert("RGB")
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    return copy
