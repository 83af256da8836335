"""The ``chatroom`` command: ``chatroom admin`` for operators, everything else is the client."""

import os
import sys
from typing import Final

__all__ = ["main"]

INTERRUPTED: Final = 130


def main() -> int:
    """Run what was asked for. The half that is not needed is not loaded.

    :returns: the exit status.
    """
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
    """Open standard streams that were closed by whoever started this.

    Then nothing is read there, and what is written goes nowhere, instead of into the first
    connection, which would have got the stream's number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            free = os.open(os.devnull, os.O_RDWR)  # the lowest, so most likely ``number`` itself
            setattr(sys, name, os.fdopen(free, "w" if number else "r"))


def _escape_what_is_missing() -> None:
    """Print an escape for a letter that the terminal lacks, also in the help, instead of
    failing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIOWrapper


if __name__ == "__main__":
    sys.exit(main())
