"""One user's data, exported or deleted; the whole store, backed up and restored."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from chat.admin.desk import OPERATOR, Desk, Stop, why
from chat.client.cli.printing import safe_json
from chat.messages import User
from chat.server.settings import Settings
from chat.store.embedded import backup as saving
from chat.store.errors import StoreError
from chat.store.keys import LOBBY_CID, cid_name

__all__ = ["backup", "delete", "export", "restore", "with_entry"]

STANDARD_OUTPUT: Final = Path("-")


async def export(desk: Desk) -> None:
    """Write everything that is kept of a user to a file or to standard output, as JSON, line by
    line."""
    user = await desk.user(desk.options.user)
    lines: list[dict[str, Any]] = [{"account": await desk.administration.user(user.user_id)}]
    belongings = await desk.administration.belongings(user.user_id)
    rooms = await desk.administration.rooms_of(user.user_id)
    names = [cid_name(cid, user.user_id) for cid in rooms]
    lines.append({**belongings, "rooms": names, "sanctions": await _held_against(desk, user)})
    reported = [each for each in await desk.administration.reports() if _is_by(each, user)]
    lines += [{"report": with_entry(each)} for each in reported]
    with _output(desk) as out:
        await desk.administration.note("export", user.user_id)
        for line in lines:
            print(safe_json(line), file=out)
        async for cid, entry in desk.administration.written_by(user.user_id):
            kept = msgspec.json.decode(entry.for_user(user.user_id))
            name = cid_name(cid, user.user_id)
            print(safe_json({"conversation": name, "entry": kept}), file=out)


async def _held_against(desk: Desk, user: User) -> list[dict[str, Any]]:
    """The rooms in which a user is banned, muted or invited, and who did it."""
    found = []
    for cid in await desk.administration.conversations():
        held = await desk.moderation.sanctions(0, cid) if cid.startswith("r:") else ()
        for each in held:
            if each.user_id == user.user_id:
                found.append({"conversation": cid_name(cid, 0), **msgspec.to_builtins(each)})
    return found


@contextmanager
def _output(desk: Desk) -> Iterator[TextIO]:
    """The file that is named, or standard output. An incomplete file is removed.

    :raises Stop: it can't be made.
    """
    if desk.options.file in (None, STANDARD_OUTPUT):
        yield desk.out
        return
    path: Path = desk.options.file
    try:
        # Only its owner can read it, and it never replaces an existing file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Stop(desk.words("no-file", path=path, reason=error.strerror)) from None
    try:
        with open(descriptor, "w", encoding="utf-8") as out:
            yield out
    except BaseException:
        path.unlink()
        raise


def with_entry(report: dict[str, Any]) -> dict[str, Any]:
    """A report with its ``entry`` decoded; unchanged where that can't be read."""
    with suppress(msgspec.DecodeError):
        return {**report, "entry": msgspec.json.decode(report["entry"])}
    return report


def _is_by(report: dict[str, Any], user: User) -> bool:
    return bool(report["by"] == str(user.user_id))


async def delete(desk: Desk) -> None:
    """Delete a user, with everything that they wrote."""
    user = await desk.user(desk.options.user)
    if desk.options.yes != user.user_name:
        raise Stop(desk.words("really", user=user.user_name))
    await desk.administration.suspend(user.user_id, 0, "deleted", why="deleted")
    author = await desk.administration.author(user.user_id)
    for cid in await desk.administration.rooms_of(user.user_id):
        if cid == LOBBY_CID:
            member = User(user.user_id, user.user_name)
            await desk.moderation.act(OPERATOR, cid, "member", member)
        else:
            await desk.rooms.leave(author, cid_name(cid, 0))
    count = await desk.administration.erase(user.user_id, OPERATOR)
    desk.done("deleted", user=user.user_name, count=count)


async def backup(desk: Desk) -> None:
    """Save the store of this machine into a file while it runs."""
    if desk.settings.store:
        raise Stop(desk.words("not-embedded"))
    target = Path(desk.options.file)
    if target == STANDARD_OUTPUT:
        if desk.out.isatty():
            raise Stop(desk.words("no-terminal"))
        await saving.save(desk.reactor, desk.redis, desk.settings.data, desk.out.buffer)
        return
    if target.exists():
        raise Stop(desk.words("no-file", path=target, reason=os.strerror(errno.EEXIST)))
    begun = time.monotonic()
    try:
        size = await saving.save(desk.reactor, desk.redis, desk.settings.data, target)
    except (OSError, StoreError) as error:
        raise Stop(desk.words("not-saved", reason=why(error))) from None
    seconds = time.monotonic() - begun
    value = {"file": str(target), "bytes": size, "seconds": round(seconds, 3)}
    desk.show(value, desk.words("saved", path=target, size=size))


def restore(options: Any, settings: Settings, words: Any) -> str:
    """Put a backup into a data directory that no server uses.

    :returns: what to say about it.
    :raises Stop: that is not possible.
    """
    if settings.store:
        raise Stop(words("not-embedded"))
    data = settings.data
    try:
        aside = saving.restore(Path(options.file), data, options.replace)
    except (OSError, StoreError) as error:
        raise Stop(words("not-restored", reason=why(error))) from None
    said: str = words("restored", place=data)
    return f"{said} {words('set-aside', place=aside)}" if aside else said
