"""Hands `compute.engine` and `compute.address` to processes and notebooks, by environment variables.

Not as parameters: these stand in the report, and which machines were used changes no result.
"""

import os

from grmp.settings import Compute

ENGINE, ADDRESS = "GRMP_ENGINE", "GRMP_ADDRESS"


def export_to_env(compute: Compute) -> None:
    """Hand `compute.engine` and `compute.address` to this process and those that it starts."""
    os.environ[ENGINE], os.environ[ADDRESS] = compute.engine, compute.address or ""
