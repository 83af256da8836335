"""The command line, the environment and a TOML file as ``Settings``; a sentence for each error."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, replace
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

from twisted.python import usage

from chat.server.kinds import Kind
from chat.server.settings import Settings, options

__all__ = ["Options", "describe"]

BROKEN_PIPE: Final = 141
"""The exit status when nobody reads the output any more, as of ``chatroom``."""

TWISTDS_PID_FILE: Final = "twistd.pid"

ALIKE: Final = 0.86
"""What ``difflib`` finds of two variables of which one is probably a slip for the other: more than
it finds of ``CHATROOM_PORT`` and ``_RATE``, less than of ``CHATROOM_DATA_DIR`` and ``_DATA``."""

_TABLE = options()


def default_text(option: Field[Any]) -> str:
    """An option's default as it would be written on the command line."""
    if option.default_factory is not MISSING:
        return "~/.local/share/chatroom/server"
    kind: Kind = option.metadata["kind"]
    return kind.write(option.default) or "none"


def describe(option: Field[Any]) -> str:
    """What ``--help`` says of an option."""
    kind: Kind = option.metadata["kind"]
    return f"{option.metadata['help']} ({kind.form}) [default: {default_text(option)}]"


class Options(usage.Options):
    """``twistd chatroom``: after ``parseOptions`` the ``settings`` are there."""

    program = "chatroom"
    """Who says that an option is wrong."""
    synopsis = "[options]"
    longdesc = (
        "A chat server. With no option it keeps everything in a store of its own below --data. "
        "0 switches a limit off. Every option can also stand in the TOML file of --config, by "
        "the same name, or in the environment, as CHATROOM_STORE for --store; the command line "
        "wins over the environment, and that over the file."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "a TOML file with options (FILE)"],
        *(
            [name, None, None, describe(option)]
            for name, option in _TABLE.items()
            if not (option.metadata["kind"].several or option.metadata["kind"].flag)
        ),
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["check-config", None, "check the options and exit"],
        *(
            [name, None, describe(option)]
            for name, option in _TABLE.items()
            if option.metadata["kind"].flag
        ),
    ]
    settings: Settings

    def __init__(self) -> None:
        super().__init__()
        self._listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        self._listen.append(endpoint)

    opt_listen.__doc__ = describe(_TABLE["listen"])

    def opt_version(self) -> None:
        """Show the version and leave."""
        print("chatroom", version("chatroom"))
        raise SystemExit(0)

    def parseArgs(self, *rest: str) -> None:
        """:raises usage.UsageError: something is there that no option is."""
        if rest:
            raise usage.UsageError(f"{rest[0]!r} is no option")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line, and the file that it names.

        :raises SystemExit: with status 1, after one sentence on standard error for each mistake.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            sys.stderr.writelines(f"{self.program}: {line}\n" for line in str(error).split("\n"))
            raise SystemExit(1) from None
        except BrokenPipeError:  # ``--help | head``; nothing more is to be written at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE) from None

    def postOptions(self) -> None:
        """:raises usage.UsageError: an option is wrong."""
        _leave_no_pid_file(self.parent)
        config = self["config"] or os.environ.get("CHATROOM_CONFIG") or None
        if config is not None:
            self["config"] = Path(config).absolute()  # twistd changes its directory
        self.settings = self.read()
        for slip in _slips(os.environ):
            sys.stderr.write(f"{self.program}: {slip}\n")
        if self.settings.log_format == "json":
            _refuse_other_logs(self.parent or {})
        if not self.settings.store:
            _check_directory(self.settings.data)
        if self["check-config"]:
            _check_certificate(self.settings)
            print("chatroom: the options are right")
            raise SystemExit(0)

    def read(self) -> Settings:
        """What the command line, the environment and the files, as they are now, say together.

        :raises usage.UsageError: options are wrong, each in a line of its own.
        """
        given: dict[str, Any] = {}
        wrong: list[str] = []
        for where, name, written in self._written():
            try:
                given[name.replace("-", "_")] = _read(where, name, written)
            except ValueError as error:
                wrong.append(str(error))
        if self["data"] is not None and self["store"] is self["store-password-file"] is None:
            # The command line wins: it means the store in there, whatever was said of another one.
            given |= {"store": "", "store_password_file": None}
        try:
            if not wrong:
                return _with_store_password(Settings(**given))
        except ValueError as error:
            wrong.append(str(error))
        raise usage.UsageError("\n".join(wrong))

    def _written(self) -> Iterator[tuple[str, str, object]]:
        """Where something is said, of which option, and what; the last that is said of one counts.

        :raises usage.UsageError: the file can't be read.
        """
        if self["config"] is not None:
            for name, value in _from_file(self["config"]).items():
                yield f"{name} in {self['config']}", name, value
        for name, option in _TABLE.items():
            variable = f"CHATROOM_{option.name.upper()}"
            if text := os.environ.get(variable):  # An empty variable counts as unset.
                yield variable, name, text.split() if option.metadata["kind"].several else text
        for name, option in _TABLE.items():
            written = self._listen if option.metadata["kind"].several else self.get(name)
            if option.metadata["kind"].flag:
                written = "yes" if written else None
            if written or written == "":
                yield f"--{name}", name, written


def _check_certificate(settings: Settings) -> None:
    """Read the certificate as a start would.

    :raises usage.UsageError: it can't be used.
    """
    if settings.tls_cert is None:
        return
    from twisted.internet.task import Clock

    from chat.server.network.certificates import Certificates
    from chat.store.errors import CannotStart

    try:
        Certificates(Clock(), settings.tls_cert, settings.tls_key or settings.tls_cert).check()
    except CannotStart as error:
        raise usage.UsageError(str(error)) from None


def _leave_no_pid_file(twistd: Any) -> None:
    """In the foreground nobody needs twistd's own file.

    One that a ``kill -9`` left behind keeps twistd from starting while anything has that process
    id, if only the killed process's own remains. The data directory is locked anyway.
    """
    if twistd and twistd.get("nodaemon") and twistd.get("pidfile") == TWISTDS_PID_FILE:
        twistd["pidfile"] = ""


def _refuse_other_logs(twistd: Mapping[str, Any]) -> None:
    """:raises usage.UsageError: twistd was told to log in a way that is not ours to change."""
    for name in ("syslog", "logger"):
        if twistd.get(name):
            raise usage.UsageError(f"--log-format json: not together with twistd's --{name}")


def _with_store_password(settings: Settings) -> Settings:
    """The settings with the store's whole URL.

    :raises ValueError: the password can't be read, or does not go with the URL.
    """
    from chat.store.link.address import Address, with_password

    path, store = settings.store_password_file, settings.store
    if path is not None:
        if not store:
            raise ValueError("store-password-file: it is for a store of your own (--store)")
        try:
            password = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ValueError(f"store-password-file: cannot read {path}: {why}") from None
        if not password:
            raise ValueError(f"store-password-file: {path} is empty")
        store = with_password(store, password)
    if store:
        Address.parse(store)
    return replace(settings, store=store)


def _slips(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that nearly is an option's. It is no mistake that ends a start,
    as in a file: variables are anybody's, and this may be somebody else's."""
    known = {f"CHATROOM_{option.name.upper()}" for option in _TABLE.values()}
    for variable in sorted(environment):
        if variable.startswith("CHATROOM_") and variable not in known:
            for meant in get_close_matches(variable, known, n=1, cutoff=ALIKE):
                yield f"{variable} in the environment is no option of the server; {meant} is"


def _from_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise usage.UsageError(f"--config: cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise usage.UsageError(f"--config: {path} is no TOML: {error}") from None


def _meant(name: str) -> str:
    close = get_close_matches(name.replace("_", "-"), _TABLE, n=1)
    return f"; {close[0]} is" if close else ""


def _read(where: str, name: str, written: object) -> Any:
    """The value of an option: text from the command line, or whatever TOML can say.

    :raises ValueError: it is none, or there is no such option; the text is a sentence.
    """
    option = _TABLE.get(name)
    if option is None:
        raise ValueError(f"{where} is no option of the server{_meant(name)}")
    kind: Kind = option.metadata["kind"]
    try:
        if kind.several:
            several = written if isinstance(written, list) else [written]
            return tuple(kind.read(_text(each, kind)) for each in several)
        return kind.read(_text(written, kind))
    except ValueError as error:
        why = str(error) if error.args and kind.explains else f"{written!r} is not {kind.what}"
        raise ValueError(f"{where}: {why}") from None


def _text(written: object, kind: Kind) -> str:
    """What was written, as it would stand on the command line."""
    if isinstance(written, str):
        return written
    if kind.quoted:
        raise ValueError
    match written:
        case bool():
            return "yes" if written else "no"
        case int() | float():
            return str(written)
        case list():
            return ",".join(_text(each, kind) for each in written)
    raise ValueError


def _check_directory(data: Path) -> None:
    """Notice early that the store cannot live in ``data``, and make nothing yet: the server may
    run as another user than the one who starts it.

    :raises usage.UsageError: it cannot.
    """
    try:
        existing = next(path for path in (data, *data.parents) if path.exists())
    except OSError as error:
        raise usage.UsageError(f"--data: {error.strerror}: {str(data)!r}") from None
    if not existing.is_dir():
        raise usage.UsageError(f"--data: {existing} is not a directory")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise usage.UsageError(f"--data: you may not write in {existing}")
