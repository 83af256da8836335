"""Requests of every kind with a number of the test's choice in any member that takes one."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from chat.messages import REQUESTS, Message

__all__ = ["requests_with"]

WORDS = {"conversation": "#lobby", "to": "#lobby", "text": "x", "content": "x", "action": "mute"}


def requests_with(number: int) -> Iterator[tuple[type[Message], dict[str, Any]]]:
    """Each request that takes numbers, once for each of its members that is one."""
    for kind in REQUESTS.values():
        for member, holding in _numbers(kind, number):
            yield kind, {**_required(kind), member: holding}


def _members(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(kind)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return ((wire, hints[name]) for name, wire in names)


def _numbers(kind: type[msgspec.Struct], number: int) -> Iterator[tuple[str, Any]]:
    """Members by their names on the wire, and what they are with that number in them."""
    for name, hint in _members(kind):
        optional = get_origin(hint) in (Union, UnionType) and int in get_args(hint)
        if hint is int or optional:
            yield name, number
        elif int in get_args(hint):
            yield name, [number]
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            for inner, holding in _numbers(hint, number):
                yield name, {inner: holding}


def _required(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What has to be there, as small as it can be."""
    optional = len(kind.__struct_defaults__)
    required = list(_members(kind))[: len(kind.__struct_fields__) - optional]
    usual = {int: 1, str: ""}
    return {name: WORDS.get(name, usual.get(hint, {})) for name, hint in required}
