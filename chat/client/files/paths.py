"""Where the client keeps its files: XDG directories, profiles, private tokens."""

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from chat.client.files.config import BadConfig
from chat.client.network.address import server_string
from chat.client.network.trust import KnownServers, Trust
from chat.client.private import write_private
from chat.disk import lock, private_directory
from chat.names import canonical_user_name

__all__ = ["DeviceSlot", "Profile", "Remembered"]

SLOTS = 8
"""Programs of one account on this machine at a time; the server allows ten devices in all."""


PROFILE = re.compile(r"[\w-][\w.-]{0,62}")
"""What a profile may be called: 63 characters fit a directory's 255 bytes in any script."""


@dataclass(frozen=True)
class Remembered:
    """Who used a profile last: an endpoint string, and a name or the digits of an id."""

    server: str
    user: str


class DeviceSlot:
    """A device name and its token, used by one process at a time (its lock file is held)."""

    def __init__(self, path: Path, held: FileIO) -> None:
        self._path = path
        self._held = held
        known = _read(path)
        self.device = str(known.get("device") or _new_device(path))
        self.token = str(known.get("token") or "")

    def beside(self, name: str) -> Path:
        """A file of this device's own, so that two windows of an account do not overwrite each
        other's. The first device's is ``name`` itself."""
        number = self._path.stem.rpartition("-")[2]
        return self._path.with_name(f"{name}.json" if number == "1" else f"{name}-{number}.json")

    def shares(self) -> bool:
        """Whether another program uses a device of the same account now, and with it the cache."""
        own = self._path.with_suffix(".lock")
        others = (each for each in own.parent.glob("device-*.lock") if each != own)
        return any(_is_held(each) for each in others)

    def keep(self, token: str) -> None:
        """Remember the token, in a file of mode 0600; "" forgets it, and keeps the device's name.

        :raises OSError: it could not be written.
        """
        self.token = token
        write_private(self._path, json.dumps({"device": self.device, "token": token}).encode())

    def forget_others(self) -> list[str]:
        """Forget the tokens of the account's other devices that no program uses now, such as those
        of windows that were closed.

        :returns: the names of these devices.
        """
        forgotten = []
        for path in self._path.parent.glob("device-*.json"):
            known = path != self._path and _read(path).get("token")
            other = _take(path) if known else None
            if other is not None:
                other.keep("")
                other.close()
                forgotten.append(other.device)
        return forgotten

    def close(self) -> None:
        """Let another process use this device."""
        self._held.close()


class Profile:
    """One person's settings and state. Directories are made when first written, mode 0700.

    :param name: letters and digits of any script, ``-``, ``_`` and ``.``, not first.
    :param environ: where the XDG variables are read.
    :raises ValueError: the name could not be a file's.
    :raises BadConfig: this user has no home directory, and the environment names no others.
    """

    def __init__(self, name: str = "default", environ: Mapping[str, str] | None = None) -> None:
        if not PROFILE.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a profile")
        environ = os.environ if environ is None else environ
        self.name = name
        self.config_file = _base(environ, "CONFIG", ".config") / "config.toml"
        """The same for all profiles."""
        self.state = _base(environ, "STATE", ".local/state") / name
        """Outbox, tokens, drafts, log."""
        self.known_servers = KnownServers(
            _base(environ, "STATE", ".local/state") / "known-servers.json"
        )
        """The same for all profiles."""
        self.cache = _base(environ, "CACHE", ".cache") / name

    def remembered(self) -> Remembered | None:
        """Who used this profile last."""
        known = _read(self.state / "last.json")
        server, user = known.get("server"), known.get("user")
        if not (isinstance(server, str) and isinstance(user, str) and user):
            return None
        return Remembered(server, user)

    def trust(self, server: str, ca: Path | None = None, fingerprint: str = "") -> Trust:
        """Whom to believe about a server.

        :param fingerprint: takes the place of the one that was accepted before.
        """
        accepted = self.known_servers.fingerprint(server_string(server))
        return Trust(ca, fingerprint or accepted)

    def remember(self, server: str, user: str) -> None:
        """Remember who uses this profile.

        :raises OSError: it could not be written.
        """
        known = {"server": server_string(server), "user": user}
        write_private(self.state / "last.json", json.dumps(known).encode())

    def chosen(self, what: str) -> str:
        """What was chosen last on the screen, of ``language`` and ``theme``; empty for nothing."""
        value = _read(self.state / "chosen.json").get(what)
        return value if isinstance(value, str) else ""

    def choose(self, what: str, value: str) -> None:
        """Remember what was chosen on the screen.

        :raises OSError: it could not be written.
        """
        known = {**_read(self.state / "chosen.json"), what: value}
        write_private(self.state / "chosen.json", json.dumps(known).encode())

    def account(self, server: str, user: str) -> Path:
        """The directory of what belongs to one user on one server (outbox, tokens, drafts).

        Its name is a digest: names of people and servers need not fit into one of a file.
        """
        key = f"{server_string(server)}\n{canonical_user_name(user)}"
        return self.state / hashlib.sha256(key.encode()).hexdigest()[:20]

    def logged_in(self, server: str, user: str) -> bool:
        """Whether some device of this installation is logged in to an account."""
        files = self.account(server, user).glob("device-*.json")
        return any(_read(file).get("token") for file in files)

    def device(self, server: str, user: str) -> DeviceSlot | None:
        """Take a device of this installation that no other running program uses, those with a
        token first; None when all are in use.

        :raises OSError: the directory cannot be used.
        """
        directory = self.account(server, user)
        private_directory(directory)
        files = [directory / f"device-{number}.json" for number in range(1, SLOTS + 1)]
        for file in sorted(files, key=lambda file: not _read(file).get("token")):
            slot = _take(file)
            if slot is not None:
                return slot
        return None


def _base(environ: Mapping[str, str], kind: str, default: str) -> Path:
    """``$XDG_<kind>_HOME/chatroom``. The standard has relative paths ignored.

    :raises BadConfig: there is no home to put it in.
    """
    base = Path(environ.get(f"XDG_{kind}_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / default
        except RuntimeError:  # a container's user, whom no file names
            raise BadConfig("no-home") from None
    return base / "chatroom"


def _read(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; empty when the file is missing, or holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _take(path: Path) -> DeviceSlot | None:
    """The device in ``path``, if no other process has it."""
    held = lock(path.with_suffix(".lock"))
    return None if held is None else DeviceSlot(path, held)


def _is_held(path: Path) -> bool:
    mine = lock(path)
    if mine is not None:
        mine.close()
    return mine is None


def _new_device(path: Path) -> str:
    """A name by which its owner recognizes it in the list of devices."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:40]
    return f"{host}-{path.stem.removeprefix('device-')}-{secrets.token_hex(3)}"
