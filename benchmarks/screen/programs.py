"""The programs that are measured: how each is set up and started, and what its screen says when."""

import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.screen.typist import Typist

__all__ = ["PROGRAMS", "Program"]

PROGRAM: Final = "import sys; from chat.client.cli.main import main; sys.exit(main())"


class Program(ABC):
    """One client in a home of its own; everything as it comes, but for what names the server.

    :ivar kind: of the crowd that it talks to.
    :ivar lost: what stands on its screen when the server is gone, one of these.
    :ivar back: what stands there when it is in the lobby again; the newest message, when empty.
    """

    name: str
    kind: str
    lost: Sequence[str]
    back = ""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.environ = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    @classmethod
    def there(cls) -> bool:
        """Whether it is installed."""
        return shutil.which(cls.name) is not None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts it."""

    @abstractmethod
    def set_up(self, newest: str) -> None:
        """Have it know its server, so that it is in the lobby by itself when it starts; there, it
        shows ``newest``."""

    def start(self) -> Typist:
        """Start it in a terminal."""
        return Typist(self.command(), self.environ)

    @abstractmethod
    def enter(self, typist: Typist) -> None:
        """Do what brings it to the lobby after a start, if it isn't there by itself."""


class Chatroom(Program):
    name = "chatroom"
    kind = "chat"
    lost = ("nect", "lost")
    back = "online"

    @classmethod
    def there(cls) -> bool:
        return True

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", PROGRAM, "--server", f"127.0.0.1:{self.port}"]

    def set_up(self, newest: str) -> None:
        with self.start() as typist:
            typist.until(lambda text: "answers" in text, "the menu")
            typist.type("2")
            typist.until(lambda text: "again" in text, "the form")
            typist.type("tess\rsecret\rsecret\r")
            typist.until(lambda text: newest in text, "the lobby")
            typist.type("\x11")
            typist.ended()

    def enter(self, typist: Typist) -> None:
        pass


class WeeChat(Program):
    name = "weechat"
    kind = "irc"
    lost = ("disconnected",)

    def command(self) -> Sequence[str]:
        return ["weechat", "-d", str(self.home / "weechat")]

    def set_up(self, newest: str) -> None:
        server = f"/server add crowd 127.0.0.1/{self.port} -notls -nicks=tess -autojoin=#lobby"
        orders = [server, "/set irc.server.crowd.autoconnect on", "/save", "/quit"]
        words = [word for each in orders for word in ("-r", each)]
        with Typist([*self.command(), *words], self.environ) as typist:
            typist.ended()

    def enter(self, typist: Typist) -> None:
        pass


class Irssi(Program):
    name = "irssi"
    kind = "irc"
    lost = ("Connection lost", "Disconnected", "reset by peer")

    def command(self) -> Sequence[str]:
        return ["irssi", "--home", str(self.home / "irssi")]

    def set_up(self, newest: str) -> None:
        (self.home / "irssi").mkdir()
        (self.home / "irssi" / "config").write_text(
            f"""
            servers = ({{ address = "127.0.0.1"; chatnet = "crowd"; port = "{self.port}";
                          autoconnect = "yes"; use_tls = "no"; }});
            chatnets = {{ crowd = {{ type = "IRC"; nick = "tess"; }}; }};
            channels = ({{ name = "#lobby"; chatnet = "crowd"; autojoin = "yes"; }});
            """
        )

    def enter(self, typist: Typist) -> None:
        typist.until(lambda text: "Act: 2" in text, "the channel's window")
        typist.type("\x1b2")  # Alt-2


class Profanity(Program):
    name = "profanity"
    kind = "xmpp"
    lost = ("ost connection", "isconnected")

    def command(self) -> Sequence[str]:
        return ["profanity", "--account", "tess@localhost"]

    def set_up(self, newest: str) -> None:
        accounts = self.home / ".local" / "share" / "profanity" / "accounts"
        accounts.parent.mkdir(parents=True)
        accounts.write_text(
            "[tess@localhost]\nenabled=true\njid=tess@localhost\nresource=screen\n"
            f"server=127.0.0.1\nport={self.port}\npassword=secret\ntls.policy=disable\n"
            "auth.policy=default\nmuc.service=rooms.localhost\nmuc.nick=tess\n"
        )

    def enter(self, typist: Typist) -> None:
        typist.until(lambda text: "logged in" in text, "a login")
        typist.type("/join lobby@rooms.localhost\r")


PROGRAMS: Final[Sequence[type[Program]]] = (Chatroom, WeeChat, Irssi, Profanity)
