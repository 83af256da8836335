"""A server on this machine, started for somebody who has none."""

import os
import subprocess
import sys
from pathlib import Path

from chat.client.network.address import host_and_port
from chat.disk import private_directory

__all__ = ["is_local", "is_vacant", "start_server"]


def is_local(server: str) -> bool:
    """Whether ``server``, an endpoint string or ``host:port``, is on this machine and without TLS,
    as a server that is started here would be."""
    kind, host, _ = host_and_port(server) or ("", "", 0)
    return kind == "tcp" and host in ("127.0.0.1", "localhost", "::1")


def is_vacant(server: str, why: str) -> bool:
    """Whether a server could be started there.

    :param why: what the network says of why no server answers.
    """
    return is_local(server) and "refused by other side" in why


def start_server(server: str, state: Path, language: str) -> tuple["subprocess.Popen[bytes]", Path]:
    """Start a server in the background where ``server`` says; it goes on when the client ends.

    :param server: one of which ``is_local`` holds.
    :param state: where its log file is put.
    :param language: of the sentences that it says to people.
    :returns: the process and its log file.
    """
    private_directory(state)
    logfile = state / "server.log"
    _, host, port = host_and_port(server) or ("", "", 0)
    interface = r"\:\:1" if host == "::1" else "127.0.0.1"
    twistd = "from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", twistd, "-n", "--pidfile=", "chatroom"]
    command += ["--language", language]
    command += ["--listen", f"tcp:{port}:interface={interface}"]
    with open(os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, logfile
