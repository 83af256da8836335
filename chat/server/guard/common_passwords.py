"""The commonest passwords, which an attacker tries first."""

from functools import cache

from chat.names import BadName, canonical_user_name

__all__ = ["check_not_common", "common_passwords"]


@cache
def common_passwords() -> frozenset[str]:
    """30,000 passwords out of published thefts, as zxcvbn keeps them; read when first needed."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def check_not_common(password: str, user_name: str) -> None:
    """Judge a new password by whether a stranger would guess it (NIST SP 800-63B, 5.1.1.2).

    :raises BadName: it is among the commonest, in whatever case, or it is the user's name.
    """
    if canonical_user_name(password) == canonical_user_name(user_name):
        raise BadName("password-common")
    if password.lower() in common_passwords():
        raise BadName("password-common")
