"""Human-rated sets: what is known of each, and their readers."""

from study.data.datasets.about import About
from study.data.datasets.catalogue import SETS, find
from study.data.datasets.reading import COLUMNS, read, verify

__all__ = ["COLUMNS", "SETS", "About", "find", "read", "verify"]
