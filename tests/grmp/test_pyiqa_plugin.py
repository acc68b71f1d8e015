"""pyiqa finds the metric by the installed package's entry points."""

import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest
import torch

import grmp
from grmp.scoring.pyiqa_plugin import register


class Registry:
    """As much of pyiqa 0.1.16's as a plugin is promised."""

    def __init__(self) -> None:
        self.lazy: dict[str, str] = {}

    def register_lazy(self, name: str, import_path: str, aliases: object = None, override: bool = False) -> None:
        assert override or name not in self.lazy
        self.lazy[name] = import_path


def test_loading_the_entry_point_registers_the_scorer(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    registry, configurations = Registry(), {}
    for name, values in {
        "pyiqa": {},
        "pyiqa.default_model_configs": {"DEFAULT_CONFIGS": configurations},
        "pyiqa.utils": {},
        "pyiqa.utils.registry": {"ARCH_REGISTRY": registry},
    }.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    (plugin,) = entry_points(group="pyiqa.archs", name="grmp")
    assert plugin.load() is register
    for _ in range(2):
        plugin.load()()
    options = configurations["grmp"]["metric_opts"] | {"path": str(checkpoint)}
    module, function = registry.lazy[options.pop("type")].split(":")
    images = torch.rand(2, 3, 70, 90)
    made = getattr(sys.modules[module], function)(**options)
    assert torch.equal(made(images), grmp.load(checkpoint, "cpu")(images))
    assert configurations["grmp"]["metric_mode"] == "NR"


@pytest.mark.long
def test_pyiqa_makes_the_metric(checkpoint: Path) -> None:
    pyiqa = pytest.importorskip("pyiqa")
    register()
    assert "grmp" in pyiqa.list_models("NR")
    metric = pyiqa.create_metric("grmp", path=str(checkpoint), device="cpu")
    images = torch.rand(2, 3, 70, 90)
    assert torch.equal(metric(images), grmp.load(checkpoint, "cpu")(images))
    loss = pyiqa.create_metric("grmp", path=str(checkpoint), device="cpu", as_loss=True)
    loss(images.requires_grad_()).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert metric.lower_better is False
