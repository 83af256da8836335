"""The ``chatroom`` command for scripts: its options, its subcommands, what it prints."""
