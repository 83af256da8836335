"""The ``chatroom`` command: ``chatroom admin`` for whoever runs a server, else the client's."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run what was asked for; its exit status. The half that is not needed is not loaded."""
    if sys.argv[1:2] == ["admin"]:
        from chat.admin import cli as administration

        return administration.main(sys.argv[2:])
    from chat.client import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
