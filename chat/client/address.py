"""How a server is written, and the endpoint that it becomes."""

import re
from typing import TYPE_CHECKING, Any

from chat.client.lean import lean_endpoints, with_tls

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["DEFAULT_SERVER", "endpoint_for", "server_string"]

DEFAULT_PORT = 8889
DEFAULT_SERVER = f"tcp:127.0.0.1:{DEFAULT_PORT}"


def server_string(server: str) -> str:
    """A Twisted client endpoint string for ``host``, ``host:port``, ``[v6]:port`` or one itself."""
    short = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]+))(?::(\d+))?", server.strip())
    if short is None:
        return server.strip() or DEFAULT_SERVER
    host = (short[1] or short[2]).replace(":", r"\:")
    return f"tcp:{host}:{short[3] or DEFAULT_PORT}"


def endpoint_for(reactor: Any, server: str) -> "IStreamClientEndpoint":
    """The endpoint of a server written as ``server_string`` takes it.

    :raises ValueError: it is no endpoint string.
    """
    text = server_string(server)
    plain = re.fullmatch(r"tcp:((?:[^:\\=]|\\:)+):(\d+)", text)
    if plain is not None:
        # Tries the IPv4 and IPv6 addresses of a name, which the plain "tcp:" does not.
        host, port = plain[1].replace(r"\:", ":"), int(plain[2])
        return lean_endpoints().HostnameEndpoint(reactor, host, port)  # type: ignore[no-any-return]
    try:
        endpoint: IStreamClientEndpoint = with_tls().clientFromString(reactor, text)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"{server!r} is no server address: {error}") from None
    return endpoint
