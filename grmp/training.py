"""Training loops that resume after an interruption, with bit-equal results."""

import json
import time
from typing import Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

TIMES = 20
"""As long as it takes to write a checkpoint, training goes on before the next one: they cost a twentieth at most."""


class Store(Protocol):
    """Where the state of one training is kept; whoever makes it ensures that no other training's state is read."""

    def read(self) -> tuple[dict[str, str], dict[str, Tensor]] | None:
        """Texts and tensors as they were written last; None where there are none."""

    def write(self, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """Keep tensors and texts in the place of the last ones."""


class Training:
    """Everything that a training loop carries from step to step, kept in a store and put back.

    Args:
        store: None keeps nothing.
        parameters: what is trained, in a fixed order.
        optimiser: over these parameters.
        schedule: of the optimiser's rate.
        generator: what the loop draws from; torch's global generators are kept besides.
    """

    def __init__(
        self,
        store: Store | None,
        parameters: list[Tensor],
        optimiser: Optimizer,
        schedule: LRScheduler,
        generator: torch.Generator,
    ) -> None:
        self.store, self.parameters = store, parameters
        self.optimiser, self.schedule, self.generator = optimiser, schedule, generator
        self._next = 0.0  # seconds on the monotonic clock

    def restore(self) -> list[tuple]:
        """Put the last kept state back, and return the rows of the steps done by then; none at a fresh start."""
        found = self.store and self.store.read()
        if not found:
            return []
        about, tensors = found
        for index, parameter in enumerate(self.parameters):
            parameter.data.copy_(tensors[f"parameter {index}"])
        self.optimiser.load_state_dict(_optimiser_state(json.loads(about["groups"]), tensors))
        self.schedule.load_state_dict(json.loads(about["schedule"]))
        self.generator.set_state(tensors["generator"])
        _set_global_generators(tensors)
        return [tuple(row) for row in json.loads(about["rows"])]

    def keep(self, rows: list[tuple], last: bool) -> None:
        """Keep the state after the step of the last of `rows`, if it is time, or the `last` one."""
        started = time.monotonic()
        if self.store is None or not (last or started >= self._next):
            return
        state = self.optimiser.state_dict()
        tensors = {f"parameter {index}": parameter for index, parameter in enumerate(self.parameters)}
        for index, values in state["state"].items():
            tensors |= {f"state {index} {name}": value for name, value in values.items() if value is not None}
        tensors |= {"generator": self.generator.get_state()} | _global_generators()
        about = {"groups": state["param_groups"], "schedule": self.schedule.state_dict(), "rows": rows}
        self.store.write(tensors, {name: json.dumps(value) for name, value in about.items()})
        ended = time.monotonic()
        self._next = ended + TIMES * (ended - started)


def _optimiser_state(groups: list[dict], tensors: dict[str, Tensor]) -> dict:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("state "):
            _, index, name = key.split(" ")
            state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": groups}


def _global_generators() -> dict[str, Tensor]:
    devices = enumerate(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])
    return {"cpu": torch.get_rng_state()} | {f"cuda {index}": state for index, state in devices}


def _set_global_generators(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["cpu"])
    for key, state in tensors.items():
        if key.startswith("cuda "):
            torch.cuda.set_rng_state(state, int(key.removeprefix("cuda ")))
