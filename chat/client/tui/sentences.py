"""What went wrong, in the reader's language: library and network say it in English only."""

from collections.abc import Callable
from typing import Final

from chat.client.errors import BadServer, FateUnknown, NotConnected, Refused
from chat.client.language.reasons import reason
from chat.client.language.words import Words
from chat.names import BadName, check_password, user_name

__all__ = ["INVITATION", "account_flaw", "login_flaw", "password_flaw", "sentence"]

INVITATION: Final = 3
"""The place of the code in the form to register, behind name, password and password again."""

NOT_THAT_WAY: Final = 506
"""A registration is refused for another reason than that somebody has the name."""

_AT_LOGIN: Final = {403: ("wrong-password", 1), 500: ("no-such-user", 0)}


def sentence(error: Exception, words: Words) -> str:
    """What to say of an error, in the reader's language. Sentences of the server are shown as they
    are."""
    match error:
        case Refused():  # Some by the library itself: what is too long for any server.
            return reason(str(error), words)
        case FateUnknown():
            return words("fate-unknown", reason=reason(str(error), words))
        case BadServer():
            return words("bad-server", reason=str(error))
        case NotConnected():
            return words("not-connected")
        case _:
            return str(error)


def login_flaw(error: Refused, words: Words) -> tuple[str, int | None]:
    """What to say of a login that was refused.

    :returns: the sentence; and which field is wrong: 0 for the name, 1 for the password, None.
    """
    key, place = _AT_LOGIN.get(error.code, ("", None))
    return words(key) if key else str(error), place


def account_flaw(error: Refused, name: str, password: str, words: Words) -> tuple[str, int | None]:
    """What to say of an account that was refused: what the reader can mend, else the server's
    words.

    This comes after the server's judgement, because its limits may be others.

    :returns: as ``login_flaw``; ``INVITATION`` when a code is needed, or may be.
    """
    if error.code == 505:
        return words("name-taken"), 0
    flaws = _flaw(user_name, name), _flaw(check_password, password)
    said, place = _first_flaw(error, words, *flaws)
    wanting = error.invitation
    if wanting is None and place is None:
        # Older servers do not say so. If waiting helps, it is not for want of a code.
        wanting = error.code == NOT_THAT_WAY and not error.retry_after
    return said, INVITATION if wanting else place


def password_flaw(error: Refused, new: str, words: Words) -> tuple[str, int | None]:
    """What to say of a password that was not changed.

    :returns: the sentence; and which field is wrong: 0 for the old one, 1 for the new one, None.
    """
    if error.code == 403:
        return words("wrong-password"), 0
    return _first_flaw(error, words, "", _flaw(check_password, new))


def _first_flaw(error: Refused, words: Words, *flaws: str) -> tuple[str, int | None]:
    for place, key in enumerate(flaws):
        if key in words:
            return words(key), place
    return str(error), None


def _flaw(judge: Callable[[str], object], text: str) -> str:
    try:
        judge(text)
    except BadName as flaw:
        return str(flaw)
    return ""
