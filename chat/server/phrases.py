"""Every sentence that a client may get in ``error``, in English and in Chinese."""

import math
from collections.abc import Sequence
from typing import Final

from chat.names import LONGEST
from chat.server.settings import Settings

__all__ = ["LANGUAGES", "PHRASES", "Phrases", "phrase"]

LANGUAGES: Final = ("en", "zh")
"""The languages of the table, in the order of its columns."""

PHRASES: Final[dict[str, tuple[str, str]]] = {
    # What names, passwords and ids may be (the keys that ``names.BadName`` carries).
    "name-empty": ("The name is empty.", "名称不能为空。"),
    "name-too-long": (
        "The name is too long: at most {name_limit} characters.",
        "名称太长：最多 {name_limit} 个字符。",
    ),
    "name-character": (
        "The name has a character that names may not have: #, @, a space or an invisible one.",
        "名称含有不允许的字符：不能有 #、@、空格或不可见字符。",
    ),
    "name-mixed": (
        "The name mixes alphabets whose letters look alike.",
        "名称混用了字形相近的字母表。",
    ),
    "name-digits": (
        "The name needs at least one character that is no digit.",
        "名称不能全是数字。",
    ),
    "room-prefix": ("The name of a room starts with #.", "房间名称必须以 # 开头。"),
    "password-short": (
        "The password is too short: at least {password_shortest} characters.",
        "密码太短：至少 {password_shortest} 个字符。",
    ),
    "password-long": (
        "The password is too long: at most {password_longest} characters.",
        "密码太长：最多 {password_longest} 个字符。",
    ),
    "password-common": (
        "Too many people use that password, or it is your name: choose another.",
        "该密码太常见，或与用户名相同：请换一个。",
    ),
    "password-character": (
        "The password has a character that cannot be stored.",
        "密码含有无法保存的字符。",
    ),
    "client-id": (
        "clientId: 1 to 64 printable ASCII characters without a space.",
        "clientId：1 到 64 个可见 ASCII 字符，不能有空格。",
    ),
    "user-id": ("userId: a whole number from 1 to 2^53 - 1.", "userId：1 到 2^53 - 1 的整数。"),
    "sex": ("sex: at most 64 characters.", "sex：最多 64 个字符。"),
    "device-name": ("device: at most 64 characters.", "device：最多 64 个字符。"),
    # Accounts and sessions.
    "login-first": ("Log in first.", "请先登录。"),
    "already-logged-in": ("This connection is logged in already.", "此连接已经登录。"),
    "no-such-user": ("There is no such user.", "用户不存在。"),
    "wrong-password": ("The password is wrong.", "密码错误。"),
    "token-ended": (
        "This session has ended: log in with your password.",
        "登录已失效：请用密码重新登录。",
    ),
    "name-taken": (
        "That user id or user name belongs to somebody.",
        "该用户编号或用户名已被使用。",
    ),
    "no-such-device": ("You have no such device.", "没有这个设备。"),
    "too-many-devices": (
        "You are at the limit of devices ({devices}): end the session of one first.",
        "您的设备数已达上限（{devices}）：请先让其中一个退出登录。",
    ),
    "too-many-logins": (
        "Too many failed logins: try again in {wait}.",
        "登录失败次数太多：请在{wait}后再试。",
    ),
    "too-many-registrations": (
        "Too many registrations from your address: try again in {wait}.",
        "您的地址注册次数太多：请在{wait}后再试。",
    ),
    "registration-closed": (
        "Nobody can register here.",
        "此服务器不开放注册。",
    ),
    "invitation-needed": ("Registering here needs an invitation code.", "在此注册需要邀请码。"),
    "not-invited": (
        "This invitation code is wrong, used up or expired.",
        "该邀请码错误、已用完或已过期。",
    ),
    "status": ("status: 0 (online) or 2 (busy).", "status：0（在线）或 2（忙碌）。"),
    # Conversations.
    "not-allowed": ("You are not allowed to do that here.", "您没有权限这样做。"),
    "no-such-conversation": ("There is no such conversation.", "会话不存在。"),
    "no-such-entry": ("There is no such message.", "消息不存在。"),
    "lobby-stays": (
        "Everybody is in the lobby; nobody leaves it.",
        "所有人都在大厅中，不能离开大厅。",
    ),
    "lobby-closed": ("This server has no lobby.", "本服务器没有大厅。"),
    "too-many-rooms": (
        "You are at the limit of rooms ({rooms}): leave one first.",
        "您加入的房间数已达上限（{rooms}）：请先离开其中一个。",
    ),
    "nothing-to-do": (
        "There is nothing to be done: nobody like that is there, or it is so already.",
        "无需操作：对方不在这里，或者已经如此。",
    ),
    "too-many-reports": (
        "You have reported a lot: try again in {wait}.",
        "举报次数太多：请在{wait}后再试。",
    ),
    "muted": ("You may not write here at present.", "您目前不能在这里发言。"),
    "banned": ("You are banned from here.", "您已被禁止进入这里。"),
    "slow-mode": (
        "Slow mode: wait {wait} before you write again.",
        "慢速模式：请在{wait}后再发言。",
    ),
    "blocked": ("They do not take messages from you.", "对方拒收您的消息。"),
    "blocking": (
        "You have blocked them: unblock them before you write.",
        "您已屏蔽对方：请先解除屏蔽再发消息。",
    ),
    "content-empty": ("The message has no content.", "消息不能为空。"),
    "content-nul": ("The content of the message has a NUL character.", "消息不能含有 NUL 字符。"),
    "content-too-long": (
        "The message is too long: at most {content_limit} bytes.",
        "消息太长：最多 {content_limit} 字节。",
    ),
    "content-too-large": (
        "The message is too large for a frame once it is written as JSON.",
        "消息写成 JSON 后超过一帧的大小。",
    ),
    # The wire.
    "unknown-type": (
        "There are no messages of type {detail} here.",
        "这里没有类型为 {detail} 的消息。",
    ),
    "malformed": ("The message is malformed: {detail}.", "消息格式错误：{detail}。"),
    "too-large": (
        "A frame has 1 to {frame_limit} bytes.",
        "一帧的大小必须是 1 到 {frame_limit} 字节。",
    ),
    "too-fast": (
        "Too fast: wait {wait}.",
        "太快了：请等待{wait}。",
    ),
    "flooding": (
        "Too many refused requests: the connection is closed.",
        "被拒绝的请求太多：连接已关闭。",
    ),
    "login-late": (
        "Nobody logged in within {login_seconds:.0f} seconds.",
        "{login_seconds:.0f} 秒内没有登录。",
    ),
    "silent": (
        "Nothing was heard for {silence_seconds:.0f} seconds.",
        "{silence_seconds:.0f} 秒内没有收到任何数据。",
    ),
    # The server and its store.
    "store-away": (
        "The store cannot be reached; nothing was accepted. Try again soon.",
        "存储暂时不可用，内容未被接受。请稍后再试。",
    ),
    "fate-unknown": (
        "The store did not answer: whether this was accepted is unknown.",
        "存储没有应答：不知道是否已被接受。",
    ),
    "busy-server": ("The server is busy. Try again soon.", "服务器繁忙，请稍后再试。"),
    "server-error": (
        "Something went wrong in the server; it has been noted.",
        "服务器出现错误，已记录。",
    ),
    "too-many-connections": (
        "There are too many connections. Try again later.",
        "连接太多，请稍后再试。",
    ),
    "too-many-strangers": (
        "Too many connections wait to log in.",
        "等待登录的连接太多。",
    ),
    "too-many-from-address": (
        "There are too many connections from your address.",
        "来自您的地址的连接太多。",
    ),
    # Why the server closes.
    "going-down": ("The server is going down.", "服务器正在关闭。"),
    "replaced": (
        "The same device logged in again elsewhere.",
        "同一设备已在别处登录。",
    ),
    "password-changed": (
        "The password was changed: log in again.",
        "密码已修改：请重新登录。",
    ),
    "suspended": ("This account is suspended.", "此账号已被停用。"),
    "deleted": ("This account was deleted.", "此账号已被删除。"),
    "logged-out": ("This device was logged out.", "此设备已退出登录。"),
}


_WAITS: Final[Sequence[tuple[int, tuple[str, str]]]] = (
    (3600, ("{n} h", " {n} 小时")),
    (60, ("{n} min", " {n} 分钟")),
    (1, ("{n} s", " {n} 秒")),
)
"""Units of a wait, the largest first: their seconds, and how they are said."""


def _wait(seconds: float, language: str) -> str:
    """How long somebody is to wait, in the largest unit of which it has two; never too short."""
    whole = math.ceil(seconds)
    size, said = next((each for each in _WAITS if whole >= 2 * each[0]), _WAITS[-1])
    return said[LANGUAGES.index(language)].format(n=math.ceil(whole / size))


def phrase(key: str, language: str, /, **values: object) -> str:
    """The sentence ``key`` in ``language``, its placeholders filled from ``values``; ``wait`` is
    what ``seconds`` says to a person.

    :raises KeyError: no such sentence, or a value that it needs is missing.
    """
    seconds = values.get("seconds")
    if isinstance(seconds, int | float):
        values["wait"] = _wait(seconds, language)
    return PHRASES[key][LANGUAGES.index(language)].format(**values)


class Phrases:
    """The table, in a server's language for whoever has not asked for another; placeholders named
    like options fill themselves.

    :param settings: the language and the limits that sentences speak of.
    """

    def __init__(self, settings: Settings) -> None:
        self._language = settings.language
        longest = settings.frame_limit or 2**32 - 1  # the largest number of four bytes
        name_limit = min(settings.name_limit or LONGEST, LONGEST)
        self._limits = {**vars(settings), "frame_limit": longest, "name_limit": name_limit}

    def __call__(self, key: str, language: str = "", /, **values: object) -> str:
        """The sentence ``key``; ``seconds`` and ``detail`` are the caller's to give.

        :param language: one of ``LANGUAGES``; what is none is the server's.
        :raises KeyError: no such sentence, or a value that it needs is missing.
        """
        spoken = language if language in LANGUAGES else self._language
        return phrase(key, spoken, **{**self._limits, **values})
