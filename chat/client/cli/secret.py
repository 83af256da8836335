"""Where a password comes from: file, command, environment or prompt; never an argument."""

import getpass
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chat.client.language.cli_words import Phrases

__all__ = ["NoPassword", "PasswordSource", "first_line", "interruptible"]

VARIABLE = "CHATROOM_PASSWORD"


class NoPassword(Exception):
    """There is no password; the text is a sentence."""


@dataclass(frozen=True)
class PasswordSource:
    """What the command line says about the password."""

    file: Path | None
    command: str
    phrases: Phrases

    def read(self, user: str) -> str:
        """The password of ``user``.

        :raises NoPassword: it could not be had in any of the ways.
        """
        return self._given() or self._prompt(self.phrases("password-of", user=user))

    def read_new(self, user: str) -> str:
        """A new password for ``user``, asked for twice where a person types it.

        :raises NoPassword: it could not be had in any of the ways, or the two differ.
        """
        given = self._given()
        if given:
            return given
        first = self._prompt(self.phrases("new-password-of", user=user))
        if self._prompt(self.phrases("password-again")) != first:
            raise NoPassword(self.phrases("passwords-differ"))
        return first

    def _given(self) -> str:
        try:
            if self.file is not None:
                return first_line(self.file.read_bytes())
            if self.command:
                done = subprocess.run(self.command, shell=True, stdout=subprocess.PIPE, check=True)
                return first_line(done.stdout)
            given = os.environ.get(VARIABLE, "")
            given.encode()
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise NoPassword(self._why(error)) from None
        return given

    def _why(self, error: Exception) -> str:
        """A sentence about an error, without anything of what was read."""
        reason: object = error
        match error:
            case UnicodeError():
                reason = self.phrases("not-text")
            case subprocess.CalledProcessError(returncode=status):
                reason = self.phrases("password-command-failed", status=status)
            case OSError(strerror=str(words)):
                reason = f"{words}: {error.filename or self.file}"
            case ValueError():
                reason = self.phrases("password-empty")
        return self.phrases("password-source", reason=reason)

    def _prompt(self, prompt: str) -> str:
        """Ask on the terminal, even where standard input is something else."""
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
            with interruptible():
                password = getpass.getpass(prompt)
        except UnicodeDecodeError as error:
            raise NoPassword(self._why(error)) from None
        except (OSError, EOFError):
            raise NoPassword(self.phrases("no-password")) from None
        if not password:
            raise NoPassword(self.phrases("no-password"))
        return password


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end the prompt with KeyboardInterrupt, whatever it does otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def first_line(data: bytes) -> str:
    """The first line, where password files and password managers have the password.

    :raises ValueError: it is empty, or not UTF-8.
    """
    line = data.decode().partition("\n")[0].removesuffix("\r")
    if not line:
        raise ValueError("empty")
    return line
