"""Turns into the store's process, which ends with its parent and ignores Ctrl-C; run as a script.

It runs between fork and exec in a process of its own, so that no thread of the server can
interfere: ``python -I -S launch.py <parent's process id> <program> <arguments>``.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``; macOS has nothing like it, there the next server ends the orphan."""


def main(parent: int, command: list[str]) -> None:
    """Turn into ``command``; exit if ``parent`` is gone already."""
    os.setsid()
    os.umask(0o077)  # Its files are for its own user alone.
    if sys.platform == "linux":
        import ctypes  # imported here, since it takes milliseconds that macOS can save

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
