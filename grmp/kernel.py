"""The kernel that runs a notebook for the runner: it ends with the runner, and so do workers that it has started."""

import os
import sys

from grmp.orphans import end_with_parent
from grmp.quick_exit import quick_exit

# A fixed hash seed makes the printed order of sets the same on every run; figures go inline whatever the shell prefers;
# the debugger is not used, so its remark about frozen modules is noise.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
"""What a kernel's environment is, besides its runner's."""


def main() -> None:
    """What `python -m ipykernel_launcher` does, under this watch in the place of ipykernel's, which spares workers."""
    end_with_parent()
    os.environ.pop("JPY_PARENT_PID", None)
    if sys.path[0] == os.getcwd():  # a file there must not stand in for a module of the kernel's
        del sys.path[0]
    with quick_exit():
        from ipykernel import kernelapp

        kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
