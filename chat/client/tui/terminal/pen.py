"""Moves and colours the terminal's pen in few bytes, by remembering its state."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

__all__ = ["PLAIN", "Brush", "Pen", "pen_of"]

_SEEN_ON_BLANKS = frozenset({"4", "7", "9"})
"""Underline, reverse and strike-through show on a space, too."""

_LINK_END = "\x1b]8;;\x1b\\"


@dataclass(frozen=True, eq=False)
class Pen:
    """A style. Equal styles are the same object.

    :ivar fore, back, rest: parameters of SGR, empty for the terminal's default.
    :ivar link: the sequence (OSC 8) that begins a link, empty for none.
    """

    fore: str = ""
    back: str = ""
    rest: frozenset[str] = frozenset()
    link: str = ""

    @cached_property
    def blank(self) -> "Pen":
        """The plainest pen that draws a space just like this one."""
        return (
            self
            if self.link or self.rest & _SEEN_ON_BLANKS
            else _pen("", self.back, frozenset(), "")
        )


@lru_cache(maxsize=4096)
def _pen(fore: str, back: str, rest: frozenset[str], link: str) -> Pen:
    return Pen(fore, back, rest, link)


PLAIN = _pen("", "", frozenset(), "")
"""The terminal's own colours."""


@lru_cache(maxsize=4096)
def pen_of(escape: str) -> Pen:
    """The pen that a sequence ``ESC [ 0 ; … m`` selects, with the link that may be opened after it.

    The parameters are those of ECMA-48, and ``38``/``48`` followed by ``5;n`` or ``2;r;g;b``.
    """
    codes, _, link = escape.partition("m")
    fore = back = ""
    rest: set[str] = set()
    numbers = iter(codes.removeprefix("\x1b[").split(";"))
    for number in numbers:
        if number in ("38", "48"):
            kind = next(numbers)
            colour = [number, kind, *(next(numbers) for _ in range(1 if kind == "5" else 3))]
            fore, back = (";".join(colour), back) if number == "38" else (fore, ";".join(colour))
        elif number in ("39", "49", "0", ""):
            pass
        elif number[:-1] in ("3", "9"):
            fore = number
        elif number[:-1] in ("4", "10"):
            back = number
        else:
            rest.add(number)
    return _pen(fore, back, frozenset(rest), link)


@lru_cache(maxsize=4096)
def _change(old: Pen, new: Pen) -> str:
    """What turns one pen into another."""
    afresh = [*sorted(new.rest), *(each for each in (new.fore, new.back) if each)]
    codes = ";".join(["0", *afresh]) if afresh else ""
    if old.rest <= new.rest:
        parts = sorted(new.rest - old.rest)
        parts += [new.fore or "39"] if new.fore != old.fore else []
        parts += [new.back or "49"] if new.back != old.back else []
        if not parts:
            codes = "-"
        elif len(";".join(parts)) < len(codes):
            codes = ";".join(parts)
    link = "" if old.link == new.link else new.link or _LINK_END
    return link if codes == "-" else f"\x1b[{codes}m{link}"


@dataclass
class Brush:
    """Where the terminal's cursor is, and with which pen it draws.

    :ivar column, row: None where that is not known.
    :ivar shown: whether the cursor is visible.
    """

    column: int | None = None
    row: int | None = None
    pen: Pen = PLAIN
    shown: bool | None = None

    def copy(self) -> "Brush":
        """Another brush in the same state."""
        return Brush(self.column, self.row, self.pen, self.shown)

    def clear(self) -> str:
        """Clear the whole terminal, whatever state it is in."""
        self.column = self.row = 0
        self.pen, self.shown = PLAIN, None
        return f"{_LINK_END}\x1b[0m\x1b[r\x1b[H\x1b[2J"

    def lost(self) -> None:
        """The column is no longer known, since terminals disagree about what was just written."""
        self.column = None

    def write(self, column: int, row: int, pen: Pen, text: str, size: int, columns: int) -> str:
        """Write ``text``, ``size`` columns wide, on a screen of ``columns``."""
        taken = self._take_blank(pen) if text.isspace() else self._take(pen)
        written = self._go(column, row) + taken + text
        # After the last column, terminals differ in where their cursor is.
        self.column = column + size if column + size < columns else None
        return written

    def erase(self, column: int, row: int, size: int) -> str:
        """Blank ``size`` columns, and stay before them."""
        taken = self._take_blank(PLAIN)
        return f"{self._go(column, row)}{taken}\x1b[{size}X"

    def erase_line(self, column: int, row: int) -> str:
        """Blank everything from ``column`` to the end of the row."""
        taken = self._take_blank(PLAIN)
        return f"{self._go(column, row)}{taken}\x1b[K"

    def scroll(self, top: int, bottom: int, by: int, rows: int) -> str:
        """Move rows ``top`` to ``bottom`` up by ``by`` rows, down when it is negative."""
        taken = self._take(PLAIN)
        limits = f"\x1b[{top + 1};{bottom + 1}r"
        # Resetting the limits moves the cursor in most terminals, but not in all.
        self.column = self.row = None
        if by > 0:
            return f"{taken}{limits}\x1b[{bottom + 1}H{chr(10) * by}\x1b[r"
        # Reverse index: known to more terminals than "scroll down".
        moved = "\x1bM" * -by
        return f"{taken}{limits}\x1b[{top + 1}H{moved}\x1b[r"

    def point(self, place: tuple[int, int] | None) -> str:
        """Put the cursor where it is to be seen."""
        return "" if place is None else self._go(*place)

    def show(self, shown: bool) -> str:
        """Have the cursor seen, or not."""
        if shown is self.shown:
            return ""
        self.shown = shown
        return "\x1b[?25h" if shown else "\x1b[?25l"

    def _take_blank(self, pen: Pen) -> str:
        """Take up a pen for blanks: one that draws them like ``pen`` is good enough."""
        return "" if self.pen.blank is pen else self._take(pen)

    def _take(self, pen: Pen) -> str:
        if pen is self.pen:
            return ""
        changed = _change(self.pen, pen)
        self.pen = pen
        return changed

    def _go(self, column: int, row: int) -> str:
        ways = [f"\x1b[{row + 1};{column + 1}H" if column else f"\x1b[{row + 1}H"]
        if row == self.row:
            ways.append("\r" if column == 0 else f"\x1b[{column + 1}G")
            if self.column is not None:
                ways.append(_aside(column - self.column))
        elif self.row is not None and row == self.row + 1 and column == 0:
            ways.append("\r\n")
        self.column, self.row = column, row
        return min(ways, key=len)


def _aside(by: int) -> str:
    if by == 0:
        return ""
    if -3 <= by < 0:
        return "\b" * -by
    return f"\x1b[{abs(by) if abs(by) > 1 else ''}{'C' if by > 0 else 'D'}"
