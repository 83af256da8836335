"""Every key of the screen in one table, from which help and hints are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["CONTEXTS", "KEYS", "PREFIXES", "WHEEL", "Key", "action", "hints", "key_name"]

CONTEXTS: Final = (
    "everywhere",
    "composer",
    "messages",
    "select",
    "conversations",
    "online",
    "popup",
    "form",
)
"""Where a key means something; ``everywhere`` holds where the focus says nothing else."""


WHEEL: Final = "wheel "
"""Before an arrow that a terminal made of the wheel; it means the arrow where no key says else."""


@dataclass(frozen=True)
class Key:
    """A row of the table.

    :ivar keys: as urwid names them.
    :ivar help: the key of a sentence in the catalogue, empty for what everybody knows.
    :ivar hint: it is worth a place in the last row.
    """

    context: str
    keys: tuple[str, ...]
    action: str
    help: str = ""
    hint: bool = False


KEYS: Final[Sequence[Key]] = (
    Key("everywhere", ("f1",), "help", "key-help", hint=True),
    Key("everywhere", ("ctrl k",), "switch", "key-switch", hint=True),
    Key("everywhere", ("shift tab", "f6"), "next_pane", "key-next-pane", hint=True),
    Key("everywhere", ("meta a",), "next_active", "key-next-active", hint=True),
    *(
        Key("everywhere", (f"meta {number}",), f"go_{number}", "key-go" if number == 1 else "")
        for number in range(1, 10)
    ),
    Key("everywhere", ("meta up", "ctrl p"), "previous", "key-previous"),
    Key("everywhere", ("meta down", "ctrl n"), "next", "key-next"),
    Key("everywhere", ("page up",), "page_up", "key-page-up"),
    Key("everywhere", ("page down",), "page_down", "key-page-down"),
    Key("everywhere", ("meta home", "meta u"), "first_unread", "key-first-unread"),
    Key("everywhere", ("meta end", "meta n"), "newest", "key-newest"),
    Key("everywhere", ("f5",), "reconnect", "key-reconnect"),
    Key("everywhere", ("f2",), "toggle_conversations", "key-toggle-conversations"),
    Key("everywhere", ("f3",), "toggle_online", "key-toggle-online"),
    Key("everywhere", ("f4",), "fold", "key-fold"),
    Key("everywhere", ("meta r",), "retry", "key-retry"),
    Key("everywhere", ("meta v",), "pick", "key-pick"),
    Key("everywhere", ("meta o",), "links", "key-links"),
    Key("everywhere", ("meta i",), "inspect", "key-inspect"),
    Key("everywhere", ("meta x",), "take_back", "key-take-back"),
    Key("everywhere", ("ctrl l",), "redraw", "key-redraw"),
    Key("everywhere", ("ctrl q",), "quit", "key-quit", hint=True),
    Key("everywhere", ("esc", "ctrl c"), "back", "key-back"),
    Key("composer", ("enter",), "send", "key-send"),
    Key("composer", ("meta enter", "ctrl enter"), "edit newline", "key-newline"),
    Key("composer", ("tab",), "complete", "key-complete"),
    Key("composer", ("shift tab",), "complete_back"),
    Key("composer", ("ctrl c",), "cancel", "key-cancel"),
    Key("composer", ("ctrl d",), "end", "key-end"),
    Key("composer", ("up",), "edit up", "key-history"),
    Key("composer", ("ctrl r",), "recall", "key-recall"),
    Key("composer", (f"{WHEEL}up",), "line_up"),
    Key("composer", (f"{WHEEL}down",), "line_down"),
    Key("composer", ("down",), "edit down"),
    Key("composer", ("left", "ctrl b"), "edit left"),
    Key("composer", ("right", "ctrl f"), "edit right"),
    Key("composer", ("home", "ctrl a"), "edit line_start", "key-line-start"),
    Key("composer", ("end", "ctrl e"), "edit line_end", "key-line-end"),
    Key("composer", ("meta b", "ctrl left", "meta left"), "edit word_left", "key-word-left"),
    Key("composer", ("meta f", "ctrl right", "meta right"), "edit word_right", "key-word-right"),
    Key("composer", ("backspace", "ctrl h"), "edit backspace"),
    Key("composer", ("delete",), "edit delete"),
    Key("composer", ("ctrl u",), "edit kill_start", "key-kill-start"),
    Key("composer", ("meta k", "ctrl delete"), "edit kill_end", "key-kill-end"),
    Key("composer", ("ctrl w",), "edit kill_space_back", "key-kill-word"),
    Key("composer", ("meta backspace",), "edit kill_word_back"),
    Key("composer", ("meta d",), "edit kill_word", "key-kill-word-on"),
    Key("composer", ("ctrl y",), "edit yank", "key-yank"),
    Key("composer", ("meta y",), "edit yank_older", "key-yank-older"),
    Key("composer", ("ctrl t",), "edit swap"),
    Key("composer", ("ctrl _", "ctrl /", "meta z"), "edit undo", "key-undo"),
    Key("composer", ("meta Z",), "edit redo", "key-redo"),
    Key("composer", ("ctrl x ctrl e",), "editor", "key-editor"),
    Key("messages", ("up", "k"), "line_up", "key-line-up"),
    Key("messages", ("down", "j"), "line_down", "key-line-down"),
    Key("messages", ("home", "g"), "oldest", "key-oldest"),
    Key("messages", ("end", "G"), "newest", "key-newest"),
    Key("messages", ("/",), "search", "key-search", hint=True),
    Key("messages", ("\uff0f", "\u3001"), "search"),
    Key("messages", ("v", "enter"), "pick", "key-pick", hint=True),
    Key("messages", ("x",), "take_back"),
    Key("messages", ("?", "\uff1f"), "help"),
    Key("messages", ("q", "tab"), "back"),
    Key("select", ("up", "k"), "pick_up", "key-pick-up"),
    Key("select", ("down", "j"), "pick_down", "key-pick-down"),
    Key("select", ("page up",), "pick_page_up"),
    Key("select", ("page down",), "pick_page_down"),
    Key("select", (" ", "v"), "pick_range", "key-pick-range", hint=True),
    Key("select", ("y", "enter"), "copy", "key-copy", hint=True),
    Key("select", ("Y",), "copy_quoted", "key-copy-quoted"),
    Key("select", ("o",), "links", "key-open-link", hint=True),
    Key("select", ("i",), "inspect", "key-details", hint=True),
    Key("select", ("r",), "answer", "key-answer", hint=True),
    Key("select", ("a",), "answered", "key-answered"),
    Key("select", ("e",), "correct", "key-edit", hint=True),
    Key("select", ("d",), "delete_picked", "key-delete", hint=True),
    Key("select", ("esc", "q", "tab"), "unpick", "key-unpick", hint=True),
    Key("select", ("?", "\uff1f"), "help"),
    Key("conversations", ("up",), "select_up", "key-select"),
    Key("conversations", ("down",), "select_down"),
    Key("conversations", ("home",), "select_first"),
    Key("conversations", ("end",), "select_last"),
    Key("conversations", ("enter",), "choose", "key-open", hint=True),
    Key("conversations", ("backspace",), "unfilter"),
    Key("conversations", ("?", "\uff1f"), "help"),
    Key("conversations", ("tab",), "back"),
    Key("online", ("up",), "select_up", "key-select"),
    Key("online", ("down",), "select_down"),
    Key("online", ("home",), "select_first"),
    Key("online", ("end",), "select_last"),
    Key("online", ("enter",), "choose", "key-talk", hint=True),
    Key("online", ("backspace",), "unfilter"),
    Key("online", ("?", "\uff1f"), "help"),
    Key("online", ("tab",), "back"),
    Key("popup", ("up", "ctrl p"), "select_up", "key-select"),
    Key("popup", ("down", "ctrl n", "ctrl r"), "select_down"),
    Key("popup", ("page up",), "select_page_up"),
    Key("popup", ("page down",), "select_page_down"),
    Key("popup", ("home",), "select_first"),
    Key("popup", ("end",), "select_last"),
    Key("popup", ("enter",), "choose", "key-choose", hint=True),
    Key("popup", ("esc", "ctrl c", "ctrl g", "f1", "ctrl k"), "close", "key-close", hint=True),
    Key("popup", ("backspace",), "unfilter"),
    Key("popup", ("ctrl u",), "unfilter_all"),
    Key("popup", ("ctrl q",), "quit"),
    Key("form", ("up", "shift tab"), "select_up", "key-field-before"),
    Key("form", ("down", "tab"), "select_down", "key-field-after", hint=True),
    Key("form", ("enter",), "choose", "key-choose", hint=True),
    Key("form", ("esc",), "close", "key-close", hint=True),
    Key("form", ("ctrl q", "ctrl c"), "quit", "key-quit", hint=True),
    Key("form", ("ctrl l",), "redraw"),
)


PREFIXES: Final = frozenset({"ctrl x"})
"""Keys that mean something only with the one after them."""


@cache
def hints(context: str) -> Sequence[Key]:
    """The keys of ``context`` that are worth a place in the last row."""
    return [each for each in KEYS if each.hint and each.context == context]


@cache
def _table(context: str) -> dict[str, str]:
    return {name: each.action for each in KEYS if each.context == context for name in each.keys}


def action(context: str, key: str) -> str | None:
    """What ``key`` does in ``context`` itself, without ``everywhere``."""
    return _table(context).get(key)


_SHOWN = {
    "ctrl": "Ctrl", "meta": "Alt", "shift": "Shift", "page up": "PgUp", "page down": "PgDn",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "esc": "Esc", "backspace": "Backspace",
    "enter": "Enter", " ": "Space", "tab": "Tab", "home": "Home", "end": "End", "delete": "Del",
}  # fmt: skip


def key_name(key: str) -> str:
    """A key as the help writes it: ``Ctrl-K`` for ``ctrl k``."""
    if key in _SHOWN:
        return _SHOWN[key]
    for prefix in PREFIXES:
        if key.startswith(f"{prefix} "):
            return f"{key_name(prefix)} {key_name(key.removeprefix(prefix).strip())}"
    before, _, last = key.partition(" ")
    if not last or before not in _SHOWN:
        return key.upper() if len(key) == 2 and key[0] == "f" else key
    if len(last) == 1 and last.isupper():
        return f"{_SHOWN[before]}-Shift-{last}"
    return f"{_SHOWN[before]}-{last.upper() if len(last) == 1 else key_name(last)}"
