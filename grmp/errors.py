"""The exception for errors that a user can correct, and how commands report it."""

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 1200
"""Characters of a message; the middle of a longer one is left out."""


class UserError(Exception):
    """An error that the user can correct; its message is one line that names the file, the key and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """`text` as one printable line: control characters and what a terminal cannot show are escaped.

    Names in messages come out of other people's files.
    """
    text = "".join(_shown(letter) for letter in text)
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else letter.encode("unicode_escape").decode()


NO_MEMORY = "not enough memory: end other programs, or make the sizes in params.yaml smaller"


def is_want_of_memory(name: str, message: str) -> bool:
    """Whether an exception of this class name and message means that memory ran out.

    Python, numpy and torch on a GPU have a class for that; torch on a CPU has words alone.
    """
    return name.endswith("MemoryError") or "allocate memory" in message


@contextmanager
def in_one_line() -> Iterator[None]:
    """Report an error that the user can correct in one line, without a traceback, and exit with status 1.

    From here on, stdout and stderr are UTF-8, also where the locale is not.
    """
    for stream in (sys.stdout, sys.stderr):
        _speak_utf8(stream)
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(one_line(f"error: {error.filename or 'file'}: {error.strerror or error}"))
    except (MemoryError, RuntimeError) as error:
        if not is_want_of_memory(type(error).__name__, str(error)):
            raise
        sys.exit(f"error: {NO_MEMORY}")


def _speak_utf8(stream: object) -> None:
    # In an ASCII locale, one typographic character would end the command; bytes of file names pass as they are.
    if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
