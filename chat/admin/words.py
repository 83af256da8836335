"""What ``chatroom admin`` says, in English and in Chinese, with one key per sentence."""

from collections.abc import Mapping
from typing import Final

__all__ = ["TABLE", "Words"]


class Words:
    """Sentences of one language: ``words("no-such-user", who="bob")``.

    :param language: ``en`` or ``zh``.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The sentence ``key`` with ``values`` put in."""
        return TABLE[key][("en", "zh").index(self.language)].format(**values)


TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "about": (
        "Manage a running server through its store.",
        "通过存储管理正在运行的服务器。",
    ),
    "commands": ("commands", "命令"),
    "about-users": ("list accounts", "列出账号"),
    "about-sessions": ("list somebody's devices", "列出某人的设备"),
    "about-logout": (
        "end somebody's sessions, or only that of one device",
        "结束某人的登录，或只结束一个设备的",
    ),
    "about-suspend": (
        "suspend an account; its sessions end at once",
        "停用账号，其登录立即失效",
    ),
    "about-reinstate": ("end a suspension", "恢复账号"),
    "about-appoint": ("make somebody an administrator of all rooms", "任命为所有房间的管理员"),
    "about-dismiss": ("take the rank of administrator away again", "撤销管理员"),
    "about-password": (
        "set somebody's password: a random one, or that in a file",
        "重置密码：默认随机生成，或从文件读取",
    ),
    "about-rooms": ("list all rooms, private ones as well", "列出所有房间，包括私密房间"),
    "about-members": ("list the members of a room", "列出房间成员"),
    "about-bans": ("list who is banned, muted or invited", "列出被封禁、禁言或邀请的人"),
    "about-moderate": ("do whatever a room's owner may", "行使房主权限"),
    "about-announce": ("say something to everybody, in the lobby", "在大厅发布公告"),
    "about-invite": ("create a registration code", "生成注册邀请码"),
    "about-invitations": ("list registration codes", "列出注册邀请码"),
    "about-withdraw": ("withdraw a registration code", "撤回注册邀请码"),
    "about-statistics": ("count everything there is", "显示统计"),
    "about-audit": ("list what moderators and administrators did", "列出管理操作记录"),
    "about-reports": ("list what users reported, or close a report", "列出或关闭用户举报"),
    "about-export": ("write all that is kept of a user, as JSON lines", "导出某人的全部数据"),
    "about-delete": (
        "delete a user and all that they wrote; numbers and the id stay",
        "删除用户及其全部文字；序号与编号保留",
    ),
    "about-import": (
        "import the accounts of the original server; without --apply only say what would happen",
        "导入原服务器的账号；不加 --apply 时只预演",
    ),
    "about-backup": ("save the embedded store while it runs", "备份正在运行的内置存储"),
    "about-restore": (
        "restore a backup into the directory of a server that is not running",
        "将备份恢复到未运行的服务器的数据目录",
    ),
    # Options
    "opt-store": ("the store's URL, as the server has it", "存储地址，同服务器"),
    "opt-data": ("the directory of the server's own store", "服务器内置存储的目录"),
    "opt-prefix": ("the prefix of its keys, as the server has it", "键前缀，同服务器"),
    "opt-config": ("the server's TOML file, which contains all of these", "服务器的 TOML 配置文件"),
    "opt-language": ("en or zh (default: by locale)", "en 或 zh（默认：按语言环境）"),
    "opt-json": ("print JSON, one object a line", "每行打印一个 JSON 对象"),
    "opt-user": ("name or id", "用户名或编号"),
    "opt-text": ("what to say", "公告内容"),
    "opt-part": ("only names with this in them", "只列出名字含有此文字的"),
    "opt-online": ("only who is online", "只列出在线的"),
    "opt-limit": ("how many at most", "最多条数"),
    "opt-device": ("only this device", "只限此设备"),
    "opt-for": (
        "how long: 90s, 10m, 2h, 1d; else without end",
        "时长：90s、10m、2h、1d；省略为永久",
    ),
    "opt-reason": ("why", "原因"),
    "opt-room": ("#room", "#房间"),
    "opt-password-file": ("its first line is the new password", "首行为新密码"),
    "opt-uses": ("how many people may use it", "可用人数"),
    "opt-lives": ("how long it can be used (default 7d)", "有效期（默认 7d）"),
    "opt-note": ("who it is for", "备注"),
    "opt-id": ("as the list shows it", "列表中的编号"),
    "opt-number": ("how many of the newest", "最近条数"),
    "opt-close": ("the report of this id is dealt with", "关闭此编号的举报"),
    "opt-file": (
        "a file that is not there yet; - for standard output",
        "尚不存在的文件；- 为标准输出",
    ),
    "opt-export": (
        "a file that is not there yet; without it, or with -, standard output",
        "尚不存在的文件；省略或写 - 为标准输出",
    ),
    "opt-yes": ("the user's name once more: nothing brings it back", "再写一次用户名：无法恢复"),
    "opt-source": ("where the original server's Redis is", "原服务器的 Redis 地址"),
    "opt-source-password": ("its password is this file's first line", "其密码为此文件的首行"),
    "opt-hash": ("the hash of its accounts", "存放账号的哈希键"),
    "opt-apply": ("do it", "真正执行"),
    "opt-backup": ("what backup wrote", "备份文件"),
    "opt-replace": ("set aside what is there", "将已有内容移到别处保留"),
    "more-users": ("Not shown: {count} more.", "另有 {count} 个未显示。"),
    # What went wrong
    "no-server": (
        "No server is running with a store of its own in {place}. Start it, or name another one "
        "with --data, --store or --config.",
        "没有正在运行的服务器使用 {place} 中的内置存储：请启动它，或用 --data、--store 或 --config "
        "指定另一个。",
    ),
    "store-away": (
        "The store at {place} can't be used: {reason}",
        "无法使用存储 {place}：{reason}",
    ),
    "silent": ("it does not answer", "没有应答"),
    "later-layout": (
        "A later version of chatroom has written the store: its layout is {found}, and this "
        "version knows {known}.",
        "此存储由更新版本的 chatroom 写入：其布局为 {found}，本版本只支持 {known}。",
    ),
    "store-error": ("The store refuses: {reason}", "存储拒绝：{reason}"),
    "not-noted": (
        "It was done, but the audit log has no room for it: {reason}",
        "已完成，但审计记录无法写入：{reason}",
    ),
    "no-such-user": ("There is no user {who}.", "没有用户 {who}。"),
    "no-such-room": ("There is no room {room}.", "没有房间 {room}。"),
    "no-such-device": ("They have no device {device}.", "没有设备 {device}。"),
    "no-such-invitation": ("There is no invitation {id}.", "没有邀请 {id}。"),
    "no-such-report": ("There is no report {id}.", "没有举报 {id}。"),
    "no-duration": (
        "{text} is no time; write 90s, 10m, 2h or 1d.",
        "{text} 不是时长；请写 90s、10m、2h 或 1d。",
    ),
    "long-duration": ("{text} is too long: at most {most}.", "{text} 太长：最多 {most}。"),
    "no-text": (
        "What is written on the command line has to be text in UTF-8.",
        "命令行上写的必须是 UTF-8 文本。",
    ),
    "no-line": (
        "What people are shown is one line of at most {most} bytes, without control characters.",
        "给大家看的文字只能是一行，最多 {most} 字节，不含控制字符。",
    ),
    "nothing-said": ("There is nothing to say.", "没有要发布的内容。"),
    "no-password": ("The password can't be used: {reason}", "密码不可用：{reason}"),
    "the-output": ("The output", "输出"),
    "no-file": ("{path} can't be written: {reason}", "无法写入 {path}：{reason}"),
    "whom": (
        "An action on somebody needs USER, one on the room takes none.",
        "对人的操作需要 USER，对房间的操作不需要。",
    ),
    "not-here": ("{action} is not possible here.", "这里不能 {action}。"),
    "no-end": ("{action} takes no --for.", "{action} 不能加 --for。"),
    "nothing-to-do": (
        "There is nothing to be done: nobody like that is there, or it is so already.",
        "无需操作：对方不在这里，或者已经如此。",
    ),
    "really": (
        "Nothing brings them back. If you mean it: --yes {user}",
        "删除后无法恢复。确定的话请加：--yes {user}",
    ),
    "not-embedded": (
        "Only a server's own store is saved and restored so; a shared one has its own means.",
        "只能这样备份和恢复内置存储；共享存储请用其自身的方法。",
    ),
    "no-terminal": ("A backup is nothing for a terminal.", "备份不能输出到终端。"),
    "not-saved": ("The store could not be saved: {reason}", "无法备份：{reason}"),
    "not-restored": ("Nothing was restored: {reason}", "没有恢复：{reason}"),
    # What was done, and what tables say
    "all": ("all", "全部"),
    "done": ("Done.", "完成。"),
    "logged-out": ("{user} is logged out.", "{user} 已退出登录。"),
    "suspended": ("{user} is suspended.", "{user} 已停用。"),
    "reinstated": ("{user} may log in again.", "{user} 可以重新登录。"),
    "appointed": ("{user} is an administrator.", "{user} 已成为管理员。"),
    "dismissed": ("{user} is no administrator any more.", "{user} 不再是管理员。"),
    "password": ("The new password of {user}: {password}", "{user} 的新密码：{password}"),
    "announced": ("Everybody was told.", "公告已发布。"),
    "deleted": (
        "{user} is deleted; entries of conversations that went with them: {count}.",
        "已删除 {user} 及其 {count} 条记录。",
    ),
    "saved": ("Saved {size} bytes to {path}.", "已将 {size} 字节备份到 {path}。"),
    "restored": (
        "Restored into {place}. With the next start every conversation begins a new epoch.",
        "已恢复到 {place}。下次启动时每个会话都会开始新的纪元（epoch）。",
    ),
    "set-aside": ("What was there is in {place} now.", "原有内容已移到 {place}。"),
    "imported": (
        "Accounts found: {found}; made: {made} (under another name: {renamed}), there already: "
        "{there}, refused: {refused}.",
        "找到 {found} 个账号：新建 {made} 个（改名 {renamed} 个），已存在 {there} 个，拒绝 "
        "{refused} 个。",
    ),
    "would-import": (
        "Accounts found: {found}; would be made: {made} (under another name: {renamed}), there "
        "already: {there}, would be refused: {refused}. Nothing was done; --apply does it.",
        "找到 {found} 个账号：将新建 {made} 个（改名 {renamed} 个），已存在 {there} 个，将拒绝 "
        "{refused} 个。尚未执行；加 --apply 执行。",
    ),
    "import-made": ("taken over", "导入"),
    "import-there": ("the id is there already, left alone", "编号已存在，未改动"),
    "import-refused": ("refused", "拒绝"),
    "import-broken": ("it is no JSON object", "不是 JSON 对象"),
    "import-bad-id": ("the id is no number from 1 to 2^53 - 1", "编号不是 1 到 2^53 - 1 的数"),
    "import-other-id": ("its JSON names another id", "JSON 中的编号不同"),
    "import-renamed": ("its name can't be used: it is {name} now", "名字不可用，改为 {name}"),
    "import-name-taken": ("the name {name} belongs to somebody", "名字 {name} 已被占用"),
    "import-no-password": (
        "it has no password: give it one with chatroom admin password",
        "没有密码：请用 chatroom admin password 设置",
    ),
    "import-short-password": ("its password is short, and kept", "密码很短，已保留"),
}
