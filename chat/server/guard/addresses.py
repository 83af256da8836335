"""Where clients come from: addresses as limits count them, and networks as options name them."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["Networks", "counted_as"]

IPV6_PREFIX: Final = 64
"""Bits. Whoever has an IPv6 address has the other 2^64 of its network as well (RFC 7934)."""


@lru_cache(maxsize=4_096)
def counted_as(host: str) -> str:
    """What limits count an address by: an IPv4 address by itself, an IPv6 address by its /64.

    Anything else, such as the name of a Unix socket's peer, is returned as it is.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX), strict=False))


class Networks:
    """Some networks; ``host in networks``.

    :param written: addresses and networks, as ``10.0.0.0/8``.
    :raises ValueError: one of them is none.
    """

    def __init__(self, written: tuple[str, ...] = ()) -> None:
        self._all: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, written))
        self._holds = lru_cache(maxsize=4_096)(self._looked_up)

    def __contains__(self, host: str) -> bool:
        return bool(self._all) and self._holds(host)

    def _looked_up(self, host: str) -> bool:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._all)
