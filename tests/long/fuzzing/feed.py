"""Hostile and broken files by the thousand: every one must be read, or refused in one line."""

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from fuzzing.watch import Tally, limit_memory, watch

SURFACES = {
    "params.yaml, values": ("texts.ParamsFile", 500),
    "params.yaml, text": ("texts.YamlText", 1000),
    "settings, notebook parameters": ("texts.Setting", 2000),
    "label map": ("texts.LabelMapFile", 500),
    "manifest": ("tables.Manifest", 1000),
    "ratings of grmp fit": ("tables.Ratings", 1500),
    "photographs": ("tables.Photographs", 1000),
    "split": ("tables.Split", 1000),
    "own rated set": ("tables.OwnSet", 1000),
    "BID's grades": ("tables.Grades", 500),
    "LIVEC's matrices": ("tables.Matrices", 300),
    "images": ("files.Images", 4000),
    "features, prompts": ("files.Tensors", 1500),
    "scoring checkpoint": ("files.Scorers", 300),
    "card": ("files.Cards", 1000),
    "CLIP": ("files.Backbones", 300),
    "ONNX tower": ("files.Tower", 1500),
    "wheel": ("files.Wheel", 2000),
}
"""What is fed, by which class, and how many inputs in the full trial."""


def feed(name: str, inputs: int, number: int, kept: Path) -> Tally:
    """Feed one surface in this process with what the seed `number` draws; failing inputs stay in `kept`."""
    module, _, surface = SURFACES[name][0].rpartition(".")
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = getattr(import_module(f"fuzzing.{module}"), surface)(Path(os.path.realpath(folder)))
        return watch(made, inputs, number, kept)


def feed_apart(name: str, inputs: int, number: int, kept: Path) -> Tally:
    """The same in a process of its own with a limit of memory.

    Raises:
        BrokenProcessPool: an input ended the process; it is `kept`/current.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), limit_memory) as pool:
        return pool.submit(feed, name, inputs, number, kept).result()
