"""Options that change while the server runs: read again on SIGHUP and passed on."""

from collections.abc import Callable
from dataclasses import replace

from twisted.logger import Logger
from twisted.python.usage import UsageError

from chat.server.settings import Settings, options

__all__ = ["Reloading"]


class Reloading:
    """Knows the settings in force, and passes others on.

    :param read_again: reads the settings as they are written now; raises UsageError.
    :ivar settings: those in force.
    :ivar quiet: another process logs which ones have changed.
    """

    log = Logger()

    def __init__(self, settings: Settings, read_again: Callable[[], Settings]) -> None:
        self.settings = settings
        self.quiet = False
        self._read_again = read_again
        self._takers: list[Callable[[Settings], None]] = []

    def add(self, take: Callable[[Settings], None]) -> None:
        """Call ``take`` with the settings in force at each reload, whether or not they have
        changed: the files that they name may have."""
        self._takers.append(take)

    def reload(self) -> None:
        """Read the settings again, take over those that can change, and log which ones need a
        restart.

        If anything in the file is wrong, nothing changes.
        """
        try:
            written = self._read_again()
        except UsageError as error:
            self.log.error("Nothing was reloaded: {why}", why=error)
            return
        self._bring_in(written)
        for take in tuple(self._takers):
            try:
                take(self.settings)
            except Exception:  # The others get the settings all the same.
                self.log.failure("not everything could be reloaded")

    def _bring_in(self, written: Settings) -> None:
        changed = {
            name: option
            for name, option in options().items()
            if getattr(written, option.name) != getattr(self.settings, option.name)
        }
        live = [option.name for option in changed.values() if option.metadata["live"]]
        self.settings = replace(self.settings, **{name: getattr(written, name) for name in live})
        for name, option in changed.items() if not self.quiet else ():
            if option.name in live:
                text = option.metadata["kind"].write(getattr(written, option.name))
                self.log.info("{option} is {value} from now on", option=name, value=text)
            else:
                self.log.warn("{option} has changed; that needs a restart", option=name)
        self.log.info("Reloaded; options that changed: {count}", count=len(live))
