"""The ``chatroom`` command: ``chatroom admin`` for operators, everything else is the client."""

import os
import sys
from typing import Final

__all__ = ["main"]

INTERRUPTED: Final = 130


def main() -> int:
    """Run what was asked for; its exit status. The half that is not needed is not loaded."""
    _open_what_was_closed()
    _escape_what_is_missing()
    try:
        if sys.argv[1:2] == ["admin"]:
            from chat.admin import cli as administration

            return administration.main(sys.argv[2:])
        from chat.client.cli import main as cli

        return cli.main()
    except KeyboardInterrupt:  # most likely while it was being loaded
        return INTERRUPTED


def _open_what_was_closed() -> None:
    """Whoever started this may have closed a standard stream: then nothing is read there, and what
    is written goes nowhere, not to the first connection, which would have got its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            free = os.open(os.devnull, os.O_RDWR)  # the lowest, so most likely ``number`` itself
            setattr(sys, name, os.fdopen(free, "w" if number else "r"))


def _escape_what_is_missing() -> None:
    """Where a terminal lacks a letter it shows an escape, also in the help, instead of ending the
    program with an error."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIOWrapper


if __name__ == "__main__":
    sys.exit(main())
