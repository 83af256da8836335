"""Runs one subcommand: settings, the store, and one sentence if it fails."""

import sys
from argparse import Namespace
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chat.admin.commands import COMMANDS
from chat.admin.data import restore
from chat.admin.desk import Desk, Stop, address_of, opened
from chat.admin.words import Words
from chat.client.cli.printing import print_no_more
from chat.server.options import Options
from chat.server.settings import Settings
from chat.store.errors import StoreError
from chat.store.keys import Keys
from chat.store.layout import LAYOUT, stored_layout

__all__ = ["run"]

BROKEN_PIPE: Final = 141
"""The exit status when nobody reads the output any more, as of ``chatroom``."""


def run(options: Namespace, words: Words) -> int:
    """Carry out a command.

    :returns: the exit status.
    """
    settings = _settings(options)
    try:
        if options.command == "restore":
            print(restore(options, settings, words))
        else:
            _run_in_reactor(options, settings, words)
        sys.stdout.flush()
        return 0
    except Stop as stop:
        sentence = str(stop)
    except StoreError as error:
        sentence = words("store-error", reason=error)
    except UnicodeEncodeError:
        sentence = words("no-text")
    except BrokenPipeError:
        print_no_more()
        return BROKEN_PIPE
    except OSError as error:
        place = error.filename or words("the-output")
        sentence = words("no-file", path=place, reason=error.strerror or error)
        print_no_more()
    print(f"chatroom admin: {sentence}", file=sys.stderr)
    return 1


def _settings(options: Namespace) -> Settings:
    """The server's settings, from its own options, file and environment.

    :raises SystemExit: one of them is wrong; that was said.
    """
    told = Options()
    told.program = "chatroom admin"
    given = []
    for name in ("config", "store", "data", "prefix"):
        value = getattr(options, name)
        given += [f"--{name}", value] if value is not None else []
    told.parseOptions(given)
    return told.settings


def _run_in_reactor(options: Namespace, settings: Settings, words: Words) -> None:
    """:raises Stop: the command could not do it.
    :raises StoreError: the store went away or refused."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    results: list[Any] = []

    def ended(result: Any) -> None:
        results.append(result)
        reactor.stop()

    reactor.callWhenRunning(
        lambda: Deferred.fromCoroutine(_perform(reactor, options, settings, words)).addBoth(ended)
    )
    reactor.run()
    if results and isinstance(results[0], Failure):
        results[0].raiseException()
    if not results:
        raise KeyboardInterrupt


async def _perform(reactor: Any, options: Namespace, settings: Settings, words: Words) -> None:
    async with opened(reactor, address_of(settings, words), words) as redis:
        keys = Keys(settings.prefix, redis.address.db)
        if (found := await stored_layout(redis, keys)) > LAYOUT:
            raise Stop(words("later-layout", found=found, known=LAYOUT))
        desk = Desk(reactor, options, settings, words, sys.stdout, sys.stderr, redis, keys)
        await COMMANDS[options.command](desk)
        if why := desk.administration.not_noted:
            print(f"chatroom admin: {words('not-noted', reason=why)}", file=sys.stderr)
