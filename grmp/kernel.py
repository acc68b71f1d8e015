"""The kernel that runs a notebook for the runner: it ends with the runner, and so do workers that it has started."""

import os
import sys

from grmp.orphans import end_with_parent


def main() -> None:
    """What `python -m ipykernel_launcher` does, under this watch in the place of ipykernel's, which spares workers."""
    end_with_parent()
    os.environ.pop("JPY_PARENT_PID", None)
    if sys.path[0] == os.getcwd():  # a file there must not stand in for a module of the kernel's
        del sys.path[0]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
