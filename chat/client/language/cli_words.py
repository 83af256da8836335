"""What the command line says, in English and in Chinese, with one key per sentence."""

from collections.abc import Mapping
from typing import Final

from chat.client.errors import BadAddress
from chat.client.files.config import BadConfig

__all__ = ["TABLE", "Phrases"]


class Phrases:
    """Sentences of one language: ``phrases("no-server", server="…")``.

    :param language: ``en`` or ``zh``.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = ("en", "zh").index(language)

    def __call__(self, key: str, **values: object) -> str:
        """The sentence ``key`` with ``values`` put in."""
        return TABLE[key][self._column].format(**values)

    def unwritable(self, error: OSError) -> str:
        """A sentence about a file, or without a name about the output."""
        place = error.filename or self("the-output")
        return self("unwritable", place=place, reason=error.strerror or error)

    def address(self, error: ValueError) -> str:
        """Why that is no address of a server."""
        if isinstance(error, BadAddress):
            return self(error.key, server=error.server)
        return str(error)

    def config(self, error: BadConfig) -> str:
        """What is wrong with the settings."""
        values = dict(error.values)
        if isinstance(value := values.get("value"), bool):
            values["value"] = str(value).lower()  # as it is written
        elif isinstance(value, str):
            values["value"] = repr(value)
        comma = self("comma")
        what = str(values.get("what", ""))
        if what in TABLE:
            values["what"] = self(what)
        elif what:
            values["what"] = self("what-choice", choices=comma.join(what.split("|")))
        if values.get("meant"):
            values["meant"] = self("config-meant", name=values["meant"])
        if isinstance(names := values.get("names"), tuple):
            values["names"] = comma.join(names)
        return self(error.key, **values)


TABLE: Final[Mapping[str, tuple[str, str]]] = {
    # What the program and its commands are
    "about": (
        "Chat in the terminal. Without a command: the full screen. "
        "For operators of a server: chatroom admin --help.",
        "终端聊天。不带命令时打开全屏界面。管理服务器：chatroom admin --help。",
    ),
    "commands": ("commands", "命令"),
    "about-register": ("create an account and log in", "注册账号并登录"),
    "about-send": ("say something", "发送消息"),
    "about-tail": ("print messages as they come", "持续打印收到的消息"),
    "about-who": ("list who is online", "列出在线用户"),
    "about-history": ("print what was said", "打印历史消息"),
    "about-replay": ("play a recording of the screen", "重放屏幕录制"),
    "about-moderate": (
        "act on a room, or on somebody in it: kick, ban, mute, slow mode, …",
        "管理房间或其中的人：移出、封禁、禁言、慢速模式等",
    ),
    "about-delete": ("delete a message for everybody", "为所有人删除一条消息"),
    "about-edit": ("edit a message of your own", "编辑自己的一条消息"),
    "about-report": ("show a message to the administrators", "向服务器管理员举报一条消息"),
    "about-block": (
        "block somebody in private; without a name: list who is blocked",
        "屏蔽某人的私聊；不带名字时列出已屏蔽的人",
    ),
    "statuses": (
        "Exit status: 0 done; 1 refused by the server; 2 wrong usage, or no password to be had; "
        "3 no connection, nothing was sent; 4 sent, but not confirmed in time: it may be repeated "
        "with the same --client-id; 5 too many programs use this account here; 70 a mistake in "
        "this program; 74 a file or the output cannot be written; 130 interrupted; 141 nobody "
        "reads the output.",
        "退出状态：0 成功；1 被服务器拒绝；2 用法错误或没有密码；3 无法连接，什么也没有发送；"
        "4 已发送但未及时得到确认，可用相同的 --client-id 重发；5 本机使用该账号的程序过多；"
        "70 程序本身出错；74 文件或输出无法写入；130 被中断；141 输出无人读取。",
    ),
    # Options
    "opt-server": (
        "host:port, tls:host:port or a Twisted client endpoint "
        "(default: as last time, or 127.0.0.1:8889)",
        "host:port、tls:host:port 或 Twisted 客户端端点（默认：上次的，或 127.0.0.1:8889）",
    ),
    "opt-ca": (
        "for tls: a PEM file with the authorities to trust (default: the system's)",
        "用于 tls：可信证书颁发机构的 PEM 文件（默认：系统的）",
    ),
    "opt-fingerprint": (
        "for tls: the SHA-256 of the server's certificate; remembered once it has matched",
        "用于 tls：服务器证书的 SHA-256 指纹；验证成功后会被记住",
    ),
    "opt-user": ("name or id (default: as last time)", "用户名或编号（默认：上次的）"),
    "opt-profile": ("use the settings and login of that name", "使用该名称的设置与登录"),
    "opt-language": ("en or zh (default: by locale)", "en 或 zh（默认：按语言环境）"),
    "opt-timeout": (
        "seconds for connecting and for the answer (default 30; 0: one try)",
        "连接与应答的秒数（默认 30；0：只试一次）",
    ),
    "opt-password-file": ("read the password from this file", "从文件读取密码"),
    "opt-password-command": (
        "read the password from what this command prints",
        "从该命令的输出读取密码",
    ),
    "opt-version": ("print the version and exit", "显示版本"),
    "opt-json": ("print JSON, one object a line", "每行打印一个 JSON 对象"),
    "opt-theme": (
        "dark, light, contrast, mono, or a file of your own in ~/.config/chatroom/themes",
        "dark、light、contrast、mono，或 ~/.config/chatroom/themes 中自己的文件",
    ),
    "opt-emoji": ("auto, text or full", "auto、text 或 full"),
    "opt-config": (
        "the settings file (default: ~/.config/chatroom/config.toml)",
        "设置文件（默认：~/.config/chatroom/config.toml）",
    ),
    "opt-check-config": ("check the settings and exit", "只检查设置是否正确"),
    "opt-colours": (
        "auto, none, 16, 256 or true (default: what the terminal has)",
        "auto、none、16、256 或 true（默认：按终端）",
    ),
    "opt-ascii": ("draw with ASCII only", "只用 ASCII 字符绘制"),
    "opt-record": (
        "record everything that is read and typed, for a bug report",
        "记录所读所写的一切，用于报告问题",
    ),
    "opt-mask": (
        "with --record: replace letters and digits in all texts, so that others may read it",
        "与 --record 合用：以别的字母和数字代替所有文字，便于把记录交给他人",
    ),
    "opt-replay-file": ("what --record has written", "--record 写成的文件"),
    "opt-speed": ("how many times faster (default 1)", "速度倍数（默认 1）"),
    "opt-print": ("only print the last screen", "只打印最后一屏"),
    "opt-print-all": ("print every screen that differs", "打印每个不同的屏幕"),
    "opt-plain": (
        "line by line, for screen readers, simple terminals and pipes",
        "逐行显示，适用于读屏软件、简单终端和管道",
    ),
    "opt-mouse": ("use the mouse", "使用鼠标"),
    "opt-name": ("the name to register", "要注册的用户名"),
    "opt-id": ("the id to register (default: the server picks)", "要注册的编号（默认由服务器选）"),
    "opt-invitation": (
        "a code, where the server asks for one to register",
        "邀请码，如服务器注册时要求",
    ),
    "opt-to": ("#room, @name or @id", "#房间、@用户名 或 @编号"),
    "opt-text": ("what to say; - or nothing: standard input", "内容；- 或省略：读取标准输入"),
    "opt-lines": (
        "each line of standard input is a message, sent as it comes",
        "标准输入的每一行作为一条消息，读到即发",
    ),
    "opt-client-id": (
        "name the message: sent twice under one name, it is stored once (24 hours)",
        "为消息命名：同名重发只存一次（24 小时内）",
    ),
    "opt-reply": (
        "the number of the message that it answers (seq in what tail and history print as JSON)",
        "所回复消息的序号（tail、history 加 --json 时所打印的 seq）",
    ),
    "opt-conversations": (
        "#room, @name or @id; none: all of yours",
        "#房间、@用户名 或 @编号；省略：您的全部会话",
    ),
    "opt-lines-before": ("first print the last N messages", "先打印最近 N 条消息"),
    "opt-missed": (
        "first print what no device of yours has got yet",
        "先打印您所有设备都还没收到的消息",
    ),
    "opt-join-send": ("join the room if you are not in it", "如尚未加入该房间则先加入"),
    "opt-join": ("join the rooms that you are not in", "自动加入尚未加入的房间"),
    "opt-count": ("end after N new messages", "打印 N 条新消息后结束"),
    "opt-history-n": ("how many messages (default 50)", "消息条数（默认 50）"),
    "opt-before": ("only below this number", "只要小于该序号的"),
    "opt-after": ("only above this number, oldest first", "只要大于该序号的，从最早的开始"),
    # The settings
    "set-server": ("the server, as --server has it", "服务器，同 --server"),
    "set-user": ("who to be, as --user has it", "用户，同 --user"),
    "set-language": ("en or zh; empty: by locale", "en 或 zh；空：按语言环境"),
    "set-theme": (
        "dark, light, contrast, mono, or the name of a file in themes/; empty: by the terminal",
        "dark、light、contrast、mono，或 themes/ 中的文件名；空：按终端",
    ),
    "set-colours": (
        "auto, none, 16, 256 or true; auto: what the terminal has",
        "auto、none、16、256 或 true；auto：按终端",
    ),
    "set-emoji": (
        "joined emoji: text takes them apart, full leaves them, auto: by the terminal",
        "组合表情：text 拆开，full 保留，auto 按终端",
    ),
    "set-ascii": ("draw with ASCII only", "只用 ASCII 字符绘制"),
    "set-mouse": ("use the mouse", "使用鼠标"),
    "set-plain": (
        "line by line, as --plain, for screen readers",
        "逐行显示，同 --plain，适用于读屏软件",
    ),
    "set-links": ("mark links for the terminal (OSC 8)", "为终端标记链接（OSC 8）"),
    "set-cache": ("keep what was said on this machine", "在本机保存聊天记录"),
    "set-quiet": (
        "do not disturb every day in this span, as 22:00-07:00",
        "每天此时段免打扰，如 22:00-07:00",
    ),
    "set-command": (
        "a program and its arguments for notifications; {{who}}, {{where}} and {{text}} are put in",
        "用于通知的程序及其参数；会填入 {{who}}、{{where}} 和 {{text}}",
    ),
    "set-notify": (
        "rules, the first that fits decides: do (bell, desktop, command; empty: nothing), "
        "when (mention, private, message), in, from, words",
        "规则，第一条符合的生效：do（bell、desktop、command；空：不通知）、"
        "when（mention、private、message）、in、from、words",
    ),
    "config-good": ("The settings are right ({path}).", "设置正确（{path}）。"),
    "no-home": (
        "This user has no home directory: set HOME to where their files are to be.",
        "此用户没有主目录：请把 HOME 设为存放其文件的目录。",
    ),
    "config-missing": ("There is no file {path}.", "没有文件 {path}。"),
    "config-unreadable": ("{path} cannot be read: {reason}", "无法读取 {path}：{reason}"),
    "config-no-toml": ("{path} is no TOML: {reason}", "{path} 不是 TOML：{reason}"),
    "config-unknown": ("{name} is no setting{meant}", "没有 {name} 这项设置{meant}"),
    "no-command": ("command: there is no program {name}", "command：没有程序 {name}"),
    "config-meant": (" ({name}?)", "（是不是 {name}？）"),
    "comma": (", ", "、"),
    "config-unknown-in": ("{name} in {path} is unknown", "{path} 中的 {name} 无法识别"),
    "config-value": ("{name}: {value} is not {what}", "{name}：{value} 不是{what}"),
    "config-no-theme": (
        "There is no theme {name} ({path}); there are: {names}",
        "没有配色 {name}（{path}）；可用：{names}",
    ),
    "what-choice": ("one of {choices}", "下列之一：{choices}"),
    "what-text": ("a text in quotes", "带引号的文字"),
    "what-texts": ("a list of texts in quotes", "带引号文字的列表"),
    "what-yes-no": ("true or false", " true 或 false"),
    "what-span": ('a span of time as "22:00-07:00"', "形如 “22:00-07:00” 的时段"),
    "what-rules": ("written as [[notify]] tables", "形如 [[notify]] 的表"),
    "what-profiles": ("written as [profile.NAME] tables", "形如 [profile.名称] 的表"),
    "what-table": ("a table", "表"),
    "what-colour": ("a colour", "颜色"),
    "what-glyph": ("one sign of the width that it has here", "宽度相同的一个符号"),
    "opt-room": ("#room", "#房间"),
    "opt-who": ("name or id", "用户名或编号"),
    "opt-how-long": (
        "how long a ban or mute lasts, or between two messages in slow mode: 90s, 10m, 2h, 1d",
        "封禁或禁言的时长，或慢速模式的间隔：90s、10m、2h、1d",
    ),
    "opt-reason": ("why; everybody in the room sees it", "原因，房间里所有人可见"),
    "opt-seq": (
        "the number of the message: seq in what send, tail and history print with --json",
        "消息的序号：send、tail、history 加 --json 时所打印的 seq",
    ),
    "opt-report-reason": ("why; only the administrators see it", "原因，只有服务器管理员可见"),
    "opt-undo": ("end the block", "解除屏蔽"),
    # What is said
    "how-to-moderate": (
        "An action on somebody needs USER, one on the room takes none; "
        "TIME is written 90s, 10m, 2h or 1d.",
        "对人的操作需要 USER，对房间的操作不需要；时长写作 90s、10m、2h 或 1d。",
    ),
    "who-are-you": (
        "Say who you are: --user NAME (or register first: chatroom register NAME).",
        "请说明身份：--user 用户名（或先注册：chatroom register 用户名）。",
    ),
    "password-of": ("Password of {user}: ", "{user} 的密码："),
    "new-password-of": ("New password for {user}: ", "为 {user} 设置密码："),
    "password-again": ("Again: ", "再输一次："),
    "passwords-differ": ("The two passwords differ.", "两次输入的密码不一致。"),
    "no-password": (
        "No password: use --password-file, --password-command or CHATROOM_PASSWORD. (No login is "
        "remembered, or another program uses it just now.)",
        "没有密码：请用 --password-file、--password-command 或 CHATROOM_PASSWORD。"
        "（没有记住的登录，或另一个程序正在使用它。）",
    ),
    "password-source": ("The password could not be read: {reason}", "无法读取密码：{reason}"),
    "password-empty": ("it is empty", "内容为空"),
    "password-command-failed": (
        "the command ended with status {status}",
        "命令以状态 {status} 结束",
    ),
    "registered": ("Registered {name}, id {user_id}.", "已注册 {name}，编号 {user_id}。"),
    "no-server": ("No connection to {server}: {reason}", "无法连接 {server}：{reason}"),
    "certificate-unknown": (
        "Nobody vouches for the certificate of {server} ({reason}). Its SHA-256 is\n"
        "  {fingerprint}\nThe server's owner can say whether that is right (it is in its log).",
        "没有机构为 {server} 的证书担保（{reason}）。其 SHA-256 指纹为\n"
        "  {fingerprint}\n请向服务器管理员核对（服务器日志中有）。",
    ),
    "certificate-ask": ("Trust it from now on? [yes/no] ", "从现在起信任它吗？[yes/no] "),
    "certificate-how": (
        "Nothing was sent. If it is right, repeat this with --fingerprint {fingerprint}",
        "未发送任何内容。如果正确，请加上 --fingerprint {fingerprint} 重试",
    ),
    "certificate-changed": (
        "The certificate of {server} is another one than before, and nothing was sent: somebody "
        "may be listening in between. It was\n  {accepted}\nand is now\n  {fingerprint}\nIf the "
        "server's owner says that this is right, repeat this with --fingerprint {fingerprint}",
        "{server} 的证书与之前不同，未发送任何内容：可能有人在中间窃听。之前是\n"
        "  {accepted}\n现在是\n  {fingerprint}\n"
        "如果服务器管理员确认无误，请加上 --fingerprint {fingerprint} 重试",
    ),
    "refused": ("Refused: {reason} ({code})", "被拒绝：{reason}（{code}）"),
    "ended": ("The server has ended the session: {reason}", "服务器已结束此次登录：{reason}"),
    "no-device": (
        "Too many programs use this account on this machine.",
        "本机使用该账号的程序过多。",
    ),
    "fate-unknown": (
        "Sent, but not confirmed in time; to be sure, repeat it with --client-id {client_id}",
        "已发送但未及时确认；可用 --client-id {client_id} 安全重发",
    ),
    "answer-unknown": ("The answer did not come: {reason}", "没有等到应答：{reason}"),
    "answer-unreadable": (
        "The server's answer makes no sense: {reason}",
        "无法理解服务器的应答：{reason}",
    ),
    "too-late": ("The answer did not come in time.", "没有及时等到应答。"),
    "nothing-sent": (
        "The connection is gone, and nothing was sent.",
        "连接中断，什么也没有发送。",
    ),
    "bad-address": (
        "{server!r} is no server address: write it as host, host:port or tls:host:port",
        "{server!r} 不是服务器地址：请写成 主机、主机:端口 或 tls:主机:端口。",
    ),
    "bad-port": (
        "{server!r} is no server address: ports are 1 to 65535",
        "{server!r} 不是服务器地址：端口须在 1 到 65535 之间。",
    ),
    "bad-profile": (
        "{name!r} is no name for a profile: letters, digits, -, _ and ., not first; at most 63.",
        "{name!r} 不能用作配置名：只能是文字、数字、-、_ 和 .（不在开头），最多 63 个字符。",
    ),
    "no-plain-record": (
        "--record records the full screen, and there is none with --plain.",
        "--record 记录的是全屏界面，不能与 --plain 合用。",
    ),
    "bad-client-id": (
        "--client-id takes 1 to 64 printable ASCII characters without spaces.",
        "--client-id 须为 1 到 64 个可打印的 ASCII 字符，不含空格。",
    ),
    "bad-conversation": (
        "{name} is no #room, @name or @id.",
        "{name} 不是 #房间、@用户名 或 @编号。",
    ),
    "unwritable": ("{place} cannot be written: {reason}", "无法写入 {place}：{reason}"),
    "the-output": ("The output", "输出"),
    "bad-tape": ("The recording cannot be played: {reason}", "无法重放：{reason}"),
    "tape-none": ("it is no recording", "这不是录制文件"),
    "tape-version": ("another version of the program made it", "它由程序的其他版本录制"),
    "tape-line": ("line {line} is damaged", "第 {line} 行已损坏"),
    "only-lines": (
        "--lines takes what to say from standard input alone: no TEXT, no --client-id.",
        "--lines 只从标准输入读取内容，不能与 TEXT 或 --client-id 合用。",
    ),
    "nothing-to-say": ("There is nothing to say.", "没有要发送的内容。"),
    "not-text": ("That is no UTF-8 text.", "内容不是 UTF-8 文本。"),
    "too-long": ("Standard input is too long for a message.", "标准输入太长，不能作为一条消息。"),
    "not-in-room": ("You are not in {room}; --join joins it.", "您不在 {room} 中；--join 可加入。"),
    "lost": ("connection lost ({reason}), coming back", "连接中断（{reason}），正在重连"),
    "back": ("connected again", "已重新连接"),
    # How messages look
    "online": ("online", "在线"),
    "busy": ("busy", "忙碌"),
    "offline": ("offline", "离线"),
    "deleted": ("(message {seq} was deleted)", "（第 {seq} 条消息已删除）"),
    "edited": (" (edited)", "（已编辑）"),
    "edit": ("{name} edited message {seq}: {text}", "{name} 编辑了第 {seq} 条消息：{text}"),
}
