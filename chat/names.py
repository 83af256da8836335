"""What is valid as a user name, a room name, a password or a conversation's name."""

import unicodedata

__all__ = [
    "INVISIBLE",
    "LINE_LIMIT",
    "LOBBY",
    "LONGEST",
    "MAX_USER_ID",
    "BadName",
    "canonical_user_name",
    "check_client_id",
    "check_password",
    "fallback_user_name",
    "id_or_name",
    "is_line",
    "is_room",
    "private_with",
    "room_name",
    "user_name",
]

LOBBY = "#lobby"
"""The room that always exists and that everybody is in."""

MAX_USER_ID = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""

LONGEST = 512
"""Characters that no name exceeds, whatever the limit. Normalizing a text can take the square of
its length: with 20,000 accents it took two seconds, in which nobody was served."""

LINE_LIMIT = 1_000
"""Bytes of a topic, or of a reason, that everybody in a room is shown."""

_NO_PART_OF_A_LINE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of control characters (C1 as well), of line and paragraph separators, and of
surrogates, which stand for the bytes of a command's argument that is not UTF-8."""

CLIENT_ID_LIMIT = 64
"""Characters of a ``clientId``."""

INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
"""Letters that draw nothing although their category says letter: the Hangul fillers, and the
braille pattern without a dot. A name made of them would be an empty place on the screen, and some
terminals take them for a space of their own width."""

# Control, format, surrogate, private use, unassigned, and every kind of separator.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Alphabets with letters that look like those of another, as Unicode's character names begin."""


class BadName(ValueError):
    """A name breaks a rule; the text is the key of the sentence in the server's phrase table."""


def _canonical(text: str) -> str:
    """NFKC, case folding, NFKC again: folding can undo the normal form (UAX #15, section 9)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise BadName("name-too-long")


def _check_characters(text: str, limit: int) -> None:
    if not text:
        raise BadName("name-empty")
    if limit and len(text) > limit:
        raise BadName("name-too-long")
    for character in text:
        if (
            character in "#@"
            or character in INVISIBLE
            or 0xFE00 <= ord(character) <= 0xFE0F  # variation selectors
            or 0xE0100 <= ord(character) <= 0xE01EF
            or unicodedata.category(character) in _REFUSED_CATEGORIES
        ):
            raise BadName("name-character")
    if unicodedata.combining(text[0]):
        raise BadName("name-character")


def _check_scripts(canonical: str) -> None:
    """Refuse names that mix alphabets whose letters look alike, such as ``аnn`` with a Cyrillic
    first letter.

    This follows the idea of UTS #39, section 5.2, and not its tables: a name that is wholly
    Cyrillic may still look like a Latin one.
    """
    scripts = {
        unicodedata.name(character, "").partition(" ")[0]
        for character in canonical
        if not character.isascii() and character.isalpha()
    }
    if any(character.isascii() and character.isalpha() for character in canonical):
        scripts.add("LATIN")
    if len(scripts & _ALIKE) > 1:
        raise BadName("name-mixed")


def user_name(text: str, limit: int = 32) -> str:
    """Return ``text`` in NFC, the form a user name is shown in.

    :param limit: most characters allowed, 0 for no limit.
    :raises BadName: empty, too long, a refused character, letters of alphabets that look alike,
        or nothing but digits (it would read as a user id in ``@<userId>``).
    """
    _check_length(text)
    shown = unicodedata.normalize("NFC", text)
    _check_characters(shown, limit)
    canonical = _canonical(shown)
    _check_characters(canonical, 0)
    _check_scripts(canonical)
    if all(unicodedata.category(character) == "Nd" for character in canonical):
        raise BadName("name-digits")
    return shown


def canonical_user_name(text: str) -> str:
    """The form in which user names are compared: two names with the same form are one name.

    A text that is too long for a name is returned as it is; it belongs to nobody.
    """
    return text if len(text) > LONGEST else _canonical(text)


def fallback_user_name(user_id: int) -> str:
    """The name of somebody who registered with an empty one."""
    return f"user{user_id}"


def room_name(text: str, limit: int = 32) -> str:
    """Return the canonical ``#name`` of a room.

    :param text: the name as written, with its ``#``.
    :param limit: most characters allowed after the ``#``, 0 for no limit.
    :raises BadName: no ``#``, empty, too long, a refused character, or letters of alphabets that
        look alike.
    """
    if not text.startswith("#"):
        raise BadName("room-prefix")
    _check_length(text)
    canonical = _canonical(text[1:])
    _check_characters(canonical, limit)
    _check_scripts(canonical)
    return "#" + canonical


def is_room(conversation: str) -> bool:
    """Whether ``conversation`` is written as a room (``#name``)."""
    return conversation.startswith("#")


def private_with(conversation: str) -> int | str | None:
    """Who the private conversation ``@<userId>`` or ``@<userName>`` is with.

    :returns: a user id, a user name, or None when ``conversation`` is not written like one.
    """
    if not conversation.startswith("@") or len(conversation) == 1:
        return None
    who = conversation[1:]
    if not (who.isascii() and who.isdigit()):
        return who
    if len(who) > len(str(MAX_USER_ID)):
        return None
    number = int(who)
    return number if 1 <= number <= MAX_USER_ID else None


def id_or_name(written: str) -> int | str:
    """Whom a person means who writes ``100``, ``ann``, ``@100`` or ``@ann``.

    Digits of any script are an id, since no name is made of digits only. With more digits than an
    id has, the result is an id that nobody has.
    """
    who = written.removeprefix("@")
    return int(who[: len(str(MAX_USER_ID)) + 1]) if who.isdecimal() else who


def check_password(password: str, shortest: int = 6, longest: int = 128) -> None:
    """Judge a new password by its length alone (NIST SP 800-63B, section 5.1.1.2).

    :param shortest, longest: in characters, 0 for no limit.
    :raises BadName: too short, too long, or with a lone surrogate.
    """
    if shortest and len(password) < shortest:
        raise BadName("password-short")
    if longest and len(password) > longest:
        raise BadName("password-long")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise BadName("password-character") from None


def is_line(text: str) -> bool:
    """Whether a topic, or a reason, is one short line."""
    if any(unicodedata.category(character) in _NO_PART_OF_A_LINE for character in text):
        return False
    return len(text.encode()) <= LINE_LIMIT


def check_client_id(client_id: str) -> None:
    """A ``clientId`` is 1 to 64 printable ASCII characters without a space.

    :raises BadName: anything else.
    """
    # Judged for every message: a pattern takes five times as long.
    visible = client_id.isascii() and client_id.isprintable() and " " not in client_id
    if not (visible and 1 <= len(client_id) <= CLIENT_ID_LIMIT):
        raise BadName("client-id")
