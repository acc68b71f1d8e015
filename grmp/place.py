"""Where pieces of work shall run: handed from params.yaml to the notebooks by environment.

Not by their parameters: these stand in the report, and which machines were used changes no result.
"""

import os
from dataclasses import dataclass

from grmp.params import Compute

ENGINE, ADDRESS = "GRMP_ENGINE", "GRMP_ADDRESS"
"""Environment variables that hold `compute.engine` and `compute.address`."""


@dataclass(frozen=True)
class Place:
    """This machine or a cluster; without an address, a cluster of this machine alone."""

    on_cluster: bool
    address: str | None


def hand_on(compute: Compute) -> None:
    """Tell this process, and those that it starts, where pieces run."""
    os.environ[ENGINE] = compute.engine
    os.environ[ADDRESS] = compute.address or ""


def chosen() -> Place:
    """What `hand_on` was told, here or by who started this process; this machine where it never was."""
    return Place(os.environ.get(ENGINE) == "ray", os.environ.get(ADDRESS) or None)
