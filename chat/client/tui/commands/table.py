"""Every command of the composer in one table, from which help and completion are made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chat.client.language.words import Words
from chat.names import canonical_user_name

__all__ = ["COMMANDS", "SLASHES", "Command", "Doubt", "Kind", "Parsed", "completions", "find",
           "parse", "refused", "written"]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A row of the table.

    :ivar names: without the slash; the first one is shown.
    :ivar verb: the method of ``Verbs`` that does it; empty for one that is sent as it is written.
    :ivar arguments, help: keys of the catalogue.
    :ivar least: how many words it needs.
    """

    names: tuple[str, ...]
    verb: str
    help: str
    arguments: str = ""
    least: int = 0


COMMANDS: Final[Sequence[Command]] = (
    Command(("help", "h", "帮助"), "help", "cmd-help", "arg-command"),
    Command(("join", "j", "加入"), "join", "cmd-join", "arg-join", 1),
    Command(("leave", "part", "close", "离开"), "leave", "cmd-leave", "arg-room"),
    Command(("topic", "话题"), "topic", "cmd-topic", "arg-topic"),
    Command(("msg", "m", "query", "dm", "私聊"), "msg", "cmd-msg", "arg-msg", 1),
    Command(("me", "动作"), "", "cmd-me", "arg-search", 1),
    Command(("go", "switch", "打开"), "go", "cmd-go", "arg-go", 1),
    Command(("next", "下一个"), "next_unread", "cmd-next"),
    Command(("readall", "全部已读"), "read_all", "cmd-read-all"),
    Command(("hush", "静音"), "hush", "cmd-hush", "arg-who-in"),
    Command(("list", "ls", "会话"), "conversations", "cmd-list"),
    Command(("more", "更早"), "more", "cmd-more"),
    Command(("catchup", "补读"), "catchup", "cmd-catchup"),
    Command(("rooms", "房间"), "rooms", "cmd-rooms"),
    Command(("who", "names", "成员"), "who", "cmd-who", "arg-who-in"),
    Command(("whois", "查看"), "whois", "cmd-whois", "arg-who", 1),
    Command(("search", "搜索"), "search", "cmd-search", "arg-search", 1),
    Command(("searchall", "sa", "全部搜索"), "search_all", "cmd-search-all", "arg-search", 1),
    Command(("reply", "re", "answer", "回复"), "reply", "cmd-reply", "arg-reply"),
    Command(("delete", "del", "删除"), "delete", "cmd-delete", "arg-delete"),
    Command(("edit", "correct", "编辑", "更正"), "edit", "cmd-edit", "arg-edit"),
    Command(("undo", "收回", "撤回"), "undo", "key-take-back"),
    Command(("retry", "重发"), "retry", "cmd-retry"),
    Command(("inspect", "详情"), "inspect", "cmd-inspect", "arg-delete"),
    Command(("links", "链接"), "links", "key-links"),
    Command(("busy", "away", "忙碌"), "busy", "cmd-busy"),
    Command(("back", "恢复"), "back", "cmd-back"),
    Command(("dnd", "quiet", "免打扰"), "dnd", "cmd-dnd", "arg-dnd"),
    Command(("devices", "设备"), "devices", "cmd-devices"),
    Command(("revoke", "注销设备"), "revoke", "cmd-revoke", "arg-device", 1),
    Command(("password", "密码"), "password", "cmd-password"),
    Command(("kick", "踢出"), "kick", "cmd-kick", "arg-kick", 1),
    Command(("ban", "封禁"), "ban", "cmd-ban", "arg-ban", 1),
    Command(("unban", "解封"), "unban", "cmd-unban", "arg-who", 1),
    Command(("mute", "禁言"), "mute", "cmd-mute", "arg-ban"),
    Command(("unmute", "解除禁言"), "unmute", "cmd-unmute", "arg-who", 1),
    Command(("role", "角色"), "role", "cmd-role", "arg-role", 2),
    Command(("slow", "慢速"), "slow", "cmd-slow", "arg-slow"),
    Command(("private", "私密"), "private", "cmd-private"),
    Command(("public", "公开"), "public", "cmd-public"),
    Command(("invite", "邀请"), "invite", "cmd-invite", "arg-who", 1),
    Command(("uninvite", "撤回邀请"), "uninvite", "cmd-uninvite", "arg-who", 1),
    Command(("invitations", "受邀"), "invitations", "cmd-invitations"),
    Command(("sanctions", "bans", "处罚"), "sanctions", "cmd-sanctions"),
    Command(("block", "blocks", "ignore", "屏蔽"), "block", "cmd-block", "arg-block"),
    Command(("unblock", "unignore", "解除屏蔽"), "unblock", "cmd-unblock", "arg-who", 1),
    Command(("report", "举报"), "report", "cmd-report", "arg-report", 1),
    Command(("theme", "配色"), "theme", "cmd-theme", "arg-theme"),
    Command(("language", "lang", "语言"), "language", "cmd-language", "arg-language", 1),
    Command(("reconnect", "重连"), "reconnect", "cmd-reconnect"),
    Command(("doctor", "检查"), "doctor", "cmd-doctor"),
    Command(("logout", "登出"), "logout", "cmd-logout"),
    Command(("quit", "q", "exit", "退出"), "quit", "cmd-quit"),
)


ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("pm", "notice", "whisper", "w", "tell", "chat", "send"), "msg"),
    **dict.fromkeys(("window", "win", "buffer", "goto", "jump"), "go"),
    **dict.fromkeys(("channel", "create", "new"), "join"),
    **dict.fromkeys(("users", "online", "nicks", "friends", "contacts"), "who"),
    **dict.fromkeys(("channels", "chans"), "rooms"),
    **dict.fromkeys(("mentions", "unread"), "next"),
    **dict.fromkeys(("find", "grep", "lastlog"), "search"),
    **dict.fromkeys(("history", "scrollback"), "more"),
    "unsend": "undo",
    **dict.fromkeys(("fix", "amend"), "edit"),
    **dict.fromkeys(("op", "deop"), "role"),
    **dict.fromkeys(("connect", "server"), "reconnect"),
    **dict.fromkeys(("color", "colors", "colour", "colours", "dark", "light"), "theme"),
    **dict.fromkeys(("disconnect", "bye"), "quit"),
    **dict.fromkeys(("commands", "keys", "man", "?"), "help"),
    **dict.fromkeys(("version", "ping", "about", "info"), "doctor"),
    **dict.fromkeys(("login", "register"), "logout"),
    **dict.fromkeys(("afk", "status"), "busy"),
    **dict.fromkeys(("notify", "bell"), "dnd"),
    **dict.fromkeys(("unhush", "silence"), "hush"),
    **dict.fromkeys(("read", "mark", "markread"), "readall"),
    "add": "invite",
    **dict.fromkeys(("quote", "respond"), "reply"),
    **dict.fromkeys(("列表", "列出"), "会话"),
    **dict.fromkeys(("私信", "悄悄话"), "私聊"),
    **dict.fromkeys(("进入", "进群", "创建", "新建"), "加入"),
    **dict.fromkeys(("退群", "退房"), "离开"),
    **dict.fromkeys(("拉黑", "黑名单"), "屏蔽"),
    **dict.fromkeys(("踢", "踢人"), "踢出"),
    **dict.fromkeys(("查找", "查询"), "搜索"),
    **dict.fromkeys(("历史", "聊天记录"), "更早"),
    **dict.fromkeys(("在线", "用户", "好友"), "成员"),
    **dict.fromkeys(("未读", "新消息"), "下一个"),
    **dict.fromkeys(("主题", "皮肤"), "配色"),
    "已读": "全部已读",
    "勿扰": "免打扰",
    **dict.fromkeys(("回答", "答复", "引用"), "回复"),
    **dict.fromkeys(("修改", "改正"), "编辑"),
    **dict.fromkeys(("注销", "退出登录"), "登出"),
}
"""What commands are called here that are called so in other programs."""

UNSLASHED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("help", ":h", ":help", "帮助"), "help"),
    **dict.fromkeys(("quit", "exit", ":q", ":q!", ":wq", "退出"), "quit"),
    "logout": "logout",
}
"""Messages that are most likely commands without their slash, and which: those that nobody says."""

NEAR: Final = 0.65
"""How like a command a mistake has to be: of three letters two may have changed places."""

RENAMING: Final = ("nick", "name", "rename", "昵称", "改名")
"""Commands by which one changes one's name elsewhere."""

SLASHES: Final = "/\uff0f\u3001"
"""What the key of the slash writes: input methods for Chinese make a wide one of it, or an
enumeration comma, with which no text begins."""

_NARROW: Final = str.maketrans("\uff03\uff20\u3000", "#@ ")
"""How what they write wide is meant in a command: the signs of rooms and people, and a space."""


class Kind(Enum):
    """What a written text turns out to be."""

    NOTHING = "nothing"
    MESSAGE = "message"
    COMMAND = "command"
    UNKNOWN = "unknown"
    BEHIND_SPACE = "behind space"


@dataclass
class Doubt:
    """Notices messages that are probably a command without its slash. It asks once: the same text,
    sent again at once, is a message."""

    _of: str = ""

    def meant(self, text: str) -> str:
        """The command that ``text`` probably is; empty when it is a message, or was sent again."""
        again, self._of = text == self._of, text
        return "" if again else UNSLASHED.get(text.strip().casefold(), "")


@dataclass(frozen=True)
class Parsed:
    """A text that was written, taken apart.

    :ivar text: the message to send, the arguments of the command, or the unknown name.
    :ivar sign: what was before the unknown name.
    """

    kind: Kind
    text: str = ""
    command: Command | None = None
    sign: str = "/"


def find(name: str) -> Command | None:
    """The command that is called ``name``, in any case, and in wide letters as well."""
    name = _typed(name)
    return next((each for each in COMMANDS if name in each.names), None)


def _typed(name: str) -> str:
    """``name`` in small and narrow letters: an input method for Chinese can write them all wide."""
    return canonical_user_name(name)


def parse(text: str) -> Parsed:
    """Tell a message from a command. ``//x`` says ``/x``; an unknown ``/x`` is never a message."""
    if not text.strip():
        return Parsed(Kind.NOTHING)
    sign, rest = text[0], text[1:]
    if rest.startswith(sign) and (sign == "/" or (sign in SLASHES and _narrowed(rest) != rest)):
        return Parsed(Kind.MESSAGE, rest)
    text = _narrowed(text)
    if not text.lstrip().startswith("/"):
        return Parsed(Kind.MESSAGE, text)
    written = text.lstrip()[1:]
    name = "" if written[:1].isspace() else "".join(written.split(None, 1)[:1])
    command = find(name)
    if text[0] != "/":
        known = command is not None
        return Parsed(Kind.BEHIND_SPACE, name) if known else Parsed(Kind.MESSAGE, text)
    if command is None:
        return Parsed(Kind.UNKNOWN, name, sign=sign)
    arguments = written[len(name) :].strip()
    if arguments and not command.verb:
        return Parsed(Kind.MESSAGE, f"/{command.names[0]} {arguments}")
    return Parsed(Kind.COMMAND, _narrowed_first(arguments), command)


def written(text: str) -> str:
    """How ``text`` has to be written as a message: ``//x`` for ``/x``."""
    said = parse(text) == Parsed(Kind.MESSAGE, text)
    return text if said or not text.startswith(tuple(SLASHES)) else text[0] + text


def _narrowed(text: str) -> str:
    """``text`` with the slash of a command as it is meant: an input method for Chinese may have
    written it wide, and what was meant for one would be said to all."""
    sign, name = text.lstrip()[:1], _typed("".join(text.lstrip()[1:].split(None, 1)[:1]))
    latin = name.isascii() and name.isalpha()
    meant = sign in SLASHES and (latin or find(name) or name in ELSEWHERE)
    return text.replace(sign, "/", 1) if sign and meant else text


def _narrowed_first(arguments: str) -> str:
    """What a command takes, with the sign of its first word, and the space behind it, as meant."""
    first = "".join(arguments.split(None, 1)[:1])
    end = len(first) + 1
    return arguments[:end].translate(_NARROW) + arguments[end:]


def completions(word: str) -> Iterator[str]:
    """Commands that begin like ``word`` (``/jo``), each with a space behind it; then those of which
    another name does."""
    sign, typed = word[:1], _typed(word[1:])
    if sign and sign in SLASHES and not typed.startswith("/"):
        others = []
        for command in COMMANDS:
            first, *rest = command.names
            if first.startswith(typed):
                yield f"/{first} "
            elif found := [each for each in rest if each.startswith(typed)]:
                others.append(f"/{found[0]} ")
        yield from others


def refused(parsed: Parsed, words: Words) -> str:
    """Why ``parsed``, which looks like a command, was not sent as a message."""
    name = parsed.text
    if parsed.kind is Kind.BEHIND_SPACE:
        return words("command-behind-space", name=name)
    if _typed(name) in RENAMING:
        return words("no-renaming", name=name)
    meant = ELSEWHERE.get(_typed(name)) or _meant(name)
    key = "unknown-command-meant" if meant else "unknown-command"
    return words(key, name=name, meant=meant, sign=parsed.sign)


def _meant(name: str) -> str:
    """The command that begins like ``name``, or is most similar to it; empty for none."""
    # Imported here, since loading it takes long.
    from difflib import get_close_matches

    begun = next(completions(f"/{name}"), "") if name else ""
    known = [each for command in COMMANDS for each in command.names]
    return begun.strip("/ ") or next(iter(get_close_matches(_typed(name), known, 1, NEAR)), "")
