"""Links in messages: where they stand, and where they really lead."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

__all__ = ["Link", "find_links"]

MOST_LINKS = 50
"""Of one message that are marked; more of them are no message."""

LONGEST = 2_000
"""Characters of a target: terminals give up marking a longer one (VTE, iTerm2: 2,083)."""

# Chinese is written without spaces: no word need end before a link, and its punctuation ends one.
_LINK = re.compile(
    r"(?<![a-z0-9])(?:https?|ftp|gemini)://[^\s<>\"`{}|\\^。，：；！？、（）【】《》「」『』“”]+",
    re.IGNORECASE,
)
_AFTER = ".,:;!?'’»…"
"""What ends a sentence rather than an address."""
_PAIRS = {")": "(", "]": "["}
_PATH_SAFE = "/%:@!$&'()*+,;=~-._?#[]"


@dataclass(frozen=True)
class Link:
    """A link in a text, from ``start`` to ``end``.

    :ivar target: where it leads, in plain ASCII: a host's name in other letters is written as the
        network knows it (``xn--…``).
    """

    start: int
    end: int
    target: str

    @property
    def host(self) -> str:
        """The host that will be asked. What is before an ``@`` is not part of it, although it may
        look like a host."""
        return urlsplit(self.target).hostname or ""


def find_links(text: str) -> Iterator[Link]:
    """The links of a cleaned text, in their order."""
    found = 0
    for match in _LINK.finditer(text):
        written = _trimmed(match[0])
        target = _target(written)
        if target:
            yield Link(match.start(), match.start() + len(written), target)
            found += 1
            if found == MOST_LINKS:
                return


def _trimmed(written: str) -> str:
    """A link without the punctuation of the sentence around it; brackets stay where they are in
    pairs."""
    while written:
        last = written[-1]
        opening = _PAIRS.get(last)
        if last in _AFTER or (opening and written.count(last) > written.count(opening)):
            written = written[:-1]
        else:
            break
    return written


def _target(written: str) -> str:
    """Where it leads; empty when it leads nowhere."""
    try:
        parts = urlsplit(written)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError too: no such host can be
        return ""
    if not name:
        return ""
    user, at, _ = parts.netloc.rpartition("@")
    place = f"{quote(user, safe=_PATH_SAFE)}{at}{f'[{name}]' if ':' in name else name}{port}"
    rest = (quote(each, safe=_PATH_SAFE) for each in parts[2:])
    target = urlunsplit((parts.scheme, place, *rest))
    return target if target.isprintable() and len(target) <= LONGEST else ""
