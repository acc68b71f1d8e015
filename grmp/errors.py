"""The one exception that a user can cause, and how commands tell of it."""

import sys
from collections.abc import Callable

import typer


class UserError(Exception):
    """Something the user can mend; its message is one line that names the file, the key and the remedy."""


def run_command(function: Callable[..., None]) -> None:
    """Run `function` as a command line; what the user can mend ends in one line and exit status 1, no traceback."""
    try:
        typer.run(function)
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'file'}: {error.strerror or error}")
