"""All that turns the method into a study: data, stages, reports, and how they run."""

import sys
from types import TracebackType


def _say_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # Ctrl-C may come while a command still imports, before `study.command` can catch it.
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _say_interrupted
