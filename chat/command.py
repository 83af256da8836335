"""The ``chatroom`` command: ``chatroom admin`` for whoever runs a server, else the client's."""

import sys
from typing import Final

__all__ = ["main"]

INTERRUPTED: Final = 130


def main() -> int:
    """Run what was asked for; its exit status. The half that is not needed is not loaded."""
    try:
        if sys.argv[1:2] == ["admin"]:
            from chat.admin import cli as administration

            return administration.main(sys.argv[2:])
        from chat.client import cli

        return cli.main()
    except KeyboardInterrupt:  # while it was being loaded, most likely
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
