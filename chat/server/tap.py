"""What ``twistd chatroom`` loads: its options, and the service made from them, imported late."""

from typing import TYPE_CHECKING, Any

from chat.server.options import Options

if TYPE_CHECKING:
    from twisted.application.service import IService

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> "IService":
    """Build the server. Only here may the reactor be imported: what was asked for is known now."""
    from chat.server.process.starting import choose_reactor, end_plainly, fill_standard_streams

    fill_standard_streams()
    end_plainly()  # What follows takes a second to load, in which Ctrl-C may come.
    reactor = choose_reactor()
    from chat.server.process.logs import JsonLogs
    from chat.server.service import ChatService
    from chat.server.workers.supervising import SupervisingService, worker_count

    alone = worker_count(options.settings) == 1
    kind = ChatService if alone else SupervisingService
    server = kind(reactor, options.settings, options.read)
    twistd: Any = options.parent or {}
    service: IService = server
    if not twistd.get("nodaemon", True):
        from chat.server.process.background import InBackground

        service = InBackground(reactor, server, twistd)
    if options.settings.log_format == "json":
        return JsonLogs(service, twistd)
    return service
