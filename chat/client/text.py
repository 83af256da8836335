"""Text from outside made safe for a terminal, measured in columns, and folded into rows."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import wcwidth

from chat.names import INVISIBLE

__all__ = [
    "JOINER",
    "MARK_CATEGORIES",
    "WIDE_SPACE",
    "acted",
    "acts",
    "ascii_only",
    "bounded_marks",
    "clean",
    "clean_line",
    "clip",
    "fit",
    "fold",
    "graphemes",
    "is_character",
    "is_printable",
    "looks_like",
    "mixes_scripts",
    "pad",
    "width",
]

SHORT, MARKS_IN_A_ROW = 512, 30
"""Characters of a text whose marks are not counted; and how many in a row are kept in others."""

MARKS_PER_BASE = 4
"""More combining marks than any living language stacks on one letter; above it is vandalism."""

TAB = "    "
REPLACEMENT = "\ufffd"
WIDE_SPACE = "\u3000"
JOINER = "\u200d"
_MODIFIERS = "\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
"""What may stand between an emoji and a joiner: U+FE0F and the five skin tones."""
_DROPPED_CATEGORIES = frozenset({"Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
"""Of what is drawn onto, or around, the letter before it."""
# Characters that must not begin a row of Chinese or Japanese text (JIS X 4051, the common part).
_NO_START = frozenset("，。、；：？！）》」』】〉〕…—～·,.;:?!)]}’”％")
# Characters that must not end a row.
_NO_END = frozenset("（《「『【〈〔‘“([{")


def width(text: str) -> int:
    """How many columns ``text`` takes, as urwid counts them."""
    if text.isascii():
        return len(text)
    return wcwidth.width(text, control_codes="ignore")


def graphemes(text: str) -> Iterator[str]:
    """The parts of ``text`` that a reader sees as one character each."""
    return iter(text) if text.isascii() else wcwidth.iter_graphemes(text)


def is_printable(text: str) -> bool:
    """Whether ``text`` has only characters that are drawn, and those that join them."""
    return text.isprintable() or text.replace(JOINER, "").isprintable()


def is_character(text: str) -> bool:
    """Whether ``text`` is one character as a reader sees it: joined emoji are one.

    Any kind of space that can be typed is one too: Chinese keyboards have a wide one, others one
    that does not break.
    """
    if len(text) == 1:
        return text.isprintable() or unicodedata.category(text) == "Zs"
    return is_printable(text) and len(list(graphemes(text))) == 1


def acts(content: str) -> bool:
    """Whether a message says what its sender does, as ``/me waves`` does."""
    return content.startswith("/me ")


def acted(content: str) -> str:
    """The content of a message as it is shown: ``* waves`` for ``/me waves``."""
    return f"* {content[4:]}" if acts(content) else content


# Cleaning --------------------------------------------------------------------------------------


def clean(text: str, emoji: bool = False) -> str:
    """Remove from ``text`` everything that could do more than be read; newlines stay.

    :param emoji: leave joined emoji, skin tones, flags and variation selectors as they are, for a
        terminal that is known to draw them as wide as it should; otherwise they are taken apart.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = bounded_marks(text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_kept(unicodedata.normalize("NFC", text), emoji))


def bounded_marks(text: str) -> str:
    """``text`` without marks after the thirtieth in a row (the limit of UAX #15, section 13).

    A normal form sorts the marks, which takes the square of their number: one message of nothing
    but accents could block the screen for half a second.
    """
    if len(text) <= SHORT:
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in MARK_CATEGORIES else 0
        if marks <= MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)


def clean_line(text: str, emoji: bool = False) -> str:
    """As ``clean``, in one line: newlines become spaces."""
    return clean(text, emoji).replace("\n", " ")


def _kept(text: str, emoji: bool) -> Iterator[str]:
    before, marks = "\n", 0
    for position, character in enumerate(text):
        if " " <= character <= "~" or character == "\n":
            kept = character
        elif character == JOINER:
            kept = JOINER if emoji and _joins(text, position) and before != JOINER else ""
        else:
            kept = _judge(character, emoji, before)
        if kept and unicodedata.category(kept[0]) in MARK_CATEGORIES:
            marks += 1
            if marks > MARKS_PER_BASE:
                continue
        elif kept:
            marks = 0
        if kept:
            before = kept[-1]
            yield kept


def _judge(character: str, emoji: bool, before: str) -> str:
    """What becomes of one character that is neither plain nor a joiner."""
    category = unicodedata.category(character)
    if character == "\t":
        return TAB
    if category == "Cc":
        return REPLACEMENT
    if category in _DROPPED_CATEGORIES or character in INVISIBLE:
        return ""
    if category == "Zs":
        return "  " if character == WIDE_SPACE else " "
    if category in MARK_CATEGORIES and (before.isspace() or before == JOINER):
        return ""
    code = ord(character)
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return character if emoji and code == 0xFE0F and _is_emoji(before) else ""
    if emoji:
        return character
    if 0x1F3FB <= code <= 0x1F3FF:
        return ""
    if 0x1F1E6 <= code <= 0x1F1FF:
        return chr(ord("A") + code - 0x1F1E6)
    return character


def _joins(text: str, position: int) -> bool:
    """Whether the joiner at ``position`` stands between two emoji."""
    before = text[max(0, position - 3) : position].rstrip(_MODIFIERS)
    before = before[-1:]
    after = text[position + 1 : position + 2]
    return _is_emoji(before) and _is_emoji(after)


def _is_emoji(character: str) -> bool:
    if not character:
        return False
    code = ord(character)
    return 0x1F000 <= code <= 0x1FAFF or (
        0x2190 <= code <= 0x2BFF and unicodedata.category(character) == "So"
    )


# Fitting and folding ---------------------------------------------------------------------------


def clip(text: str, columns: int, ellipsis: str = "…") -> str:
    """``text`` in at most ``columns`` columns, its end replaced by ``ellipsis`` where it is cut."""
    if width(text) <= columns:
        return text
    room = columns - width(ellipsis)
    if room < 0:
        return ""
    taken, used = [], 0
    for part in graphemes(text):
        used += width(part)
        if used > room:
            break
        taken.append(part)
    return "".join(taken) + ellipsis


def pad(text: str, columns: int) -> str:
    """``text`` with spaces after it up to ``columns`` columns."""
    return text + " " * (columns - width(text))


def fit(text: str, columns: int) -> str:
    """``text`` in exactly ``columns`` columns, whatever it holds.

    If it still has another width after cutting, because a mark joins what is beside it, it is shown
    in ASCII: wrong by a glyph, but never by a column.
    """
    shown = pad(clip(text, columns), columns)
    if width(shown) == columns:
        return shown
    return ascii_only(text)[:columns].ljust(columns)


def ascii_only(text: str) -> str:
    """``text`` with a ``?`` for every character that is not printable ASCII."""
    return "".join(each if " " <= each <= "~" else "?" for each in text)


def fold(text: str, columns: int, limit: int = 0) -> list[str]:
    """Fold cleaned ``text`` into rows of at most ``columns`` columns; one pass, whatever it holds.

    Breaks at spaces, between wide characters, and inside what is longer than a row, there behind a
    colon if one is near.

    :param limit: return at most one row more than this many, 0 for all.
    """
    columns = max(1, columns)
    rows: list[str] = []
    for line in text.split("\n"):
        _fold_line(line, columns, rows, limit)
        if limit and len(rows) > limit:
            return rows[: limit + 1]
    return rows


def _fold_line(line: str, columns: int, rows: list[str], limit: int) -> None:
    if line.isascii():
        _fold_ascii(line, columns, rows, limit)
    else:
        _fold_any(line, columns, rows, limit)


def _fold_ascii(line: str, columns: int, rows: list[str], limit: int) -> None:
    """As ``_fold_any``, where every character is one column."""
    start = 0
    while len(line) - start > columns and not (limit and len(rows) > limit):
        end = start + columns
        if line[end] == " ":
            rows.append(line[start:end])
            start = end + 1
            continue
        space = line.rfind(" ", start, end)
        kept = start + _broken(line[start:end]) if space < 0 else space + 1
        rows.append(line[start:kept].rstrip(" "))
        start = kept
    rows.append(line[start:])


def _fold_any(line: str, columns: int, rows: list[str], limit: int) -> None:
    row: list[str] = []
    used = 0
    break_at = 0  # how many parts of ``row`` stand before the last place where it may break
    for part in _measured(line, columns):
        size = width(part)
        if row and _may_break(row[-1], part):
            break_at = len(row)
        if used + size > columns:
            if part == " " and row:
                rows.append("".join(row))
                row, used, break_at = [], 0, 0
                continue
            kept = break_at or _broken(row)
            rows.append("".join(row[:kept]).rstrip(" "))
            row = row[kept:]
            used = sum(map(width, row))
            break_at = 0
            if limit and len(rows) > limit:
                return
        row.append(part)
        used += size
    rows.append("".join(row))


def _broken(word: Sequence[str]) -> int:
    """How much of a word that is longer than a row is put into it: all that fits, or up to a colon
    close to the end, so that a fingerprint's bytes, or a port, stay whole."""
    places = range(len(word), max(0, len(word) - 3), -1)
    return next((place for place in places if word[place - 1] == ":"), len(word))


def _measured(line: str, columns: int) -> Iterator[str]:
    """The parts of a line, none wider than a row, and none at its start that would take no place of
    its own."""
    for part in graphemes(line):
        yield part if 0 < width(part) <= columns else "?"


def _may_break(before: str, after: str) -> bool:
    if before == " ":
        return after != " "
    if before in _NO_END or after in _NO_START:
        return False
    return not (before.isascii() and after.isascii()) and (width(before) > 1 or width(after) > 1)


# Names that pretend ----------------------------------------------------------------------------

# Letters of other scripts that are drawn like a Latin one (from the Unicode confusables, UTS #39;
# the ones that whole Latin words can be written with).
_PAIRS = (
    "аa вb еe ԁd һh іi јj кk мm нh оo рp ԛq сc ѕs тt ѵv ԝw хx уy "
    "αa βb εe ηn ιi κk νv οo ρp τt υu χx ιi γy ıi 0o 1l |l il"
)
_LOOKS = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}


@lru_cache(maxsize=4096)
def looks_like(name: str) -> str:
    """A form in which two names are equal when a reader would take one for the other."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    return bare.casefold().translate(_LOOKS).replace("rn", "m").replace("vv", "w")


@lru_cache(maxsize=4096)
def mixes_scripts(name: str) -> bool:
    """Whether ``name`` has Latin letters beside Greek or Cyrillic ones, as imitations do."""
    found = {
        script
        for character in name
        if character.isalpha()
        and (script := unicodedata.name(character, "").partition(" ")[0])
        in {"LATIN", "CYRILLIC", "GREEK"}
    }
    return len(found) > 1
