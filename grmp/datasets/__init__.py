"""Human-rated sets: what is known of each, and their readers."""

from grmp.datasets.about import About
from grmp.datasets.catalogue import SETS, find
from grmp.datasets.reading import COLUMNS, read, verify

__all__ = ["COLUMNS", "SETS", "About", "find", "read", "verify"]
