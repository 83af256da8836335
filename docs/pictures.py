"""Draws what a terminal shows: one screen as SVG, several one after the other as a moving one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

from chat.client.text import width
from tests.pty_screen import PtyScreen

CELL, LINE, MARGIN = 8.4, 18.0, 14.0
INK, PAPER = "#d8dee9", "#12161f"
NAMED = {
    "black": "#12161f", "red": "#e06c75", "green": "#8fbc6a", "brown": "#d9b45b",
    "blue": "#6ca0e8", "magenta": "#c58ae0", "cyan": "#5fb8c4", "white": "#d8dee9",
    "brightblack": "#6b7383", "brightred": "#ff8b94", "brightgreen": "#a8d88a",
    "brightbrown": "#f0d27a", "brightblue": "#8ab8ff", "brightmagenta": "#dca6f5",
    "brightcyan": "#80d4e0", "brightwhite": "#ffffff",
}  # fmt: skip
FONT = "DejaVu Sans Mono, Menlo, Consolas, Noto Sans Mono CJK SC, monospace"

Style = tuple[str, str, bool, bool]
"""Ink, paper, bold, underlined."""

Run = tuple[int, int, str, Style]
"""Where a run of cells begins, how many there are, their text and how they look."""


def colour(name: str, default: str) -> str:
    """A colour as pyte names it, for SVG."""
    if name == "default":
        return default
    return NAMED.get(name, f"#{name}" if len(name) == 6 else default)


def style(cell: Any) -> Style:
    """How a cell of pyte looks."""
    ink, paper = colour(cell.fg, INK), colour(cell.bg, PAPER)
    ink, paper = (paper, ink) if cell.reverse else (ink, paper)
    return ink, paper, cell.bold, cell.underscore


def rows_of(screen: Any) -> list[tuple[Run, ...]]:
    """The rows of a pyte screen as runs, the cursor as a run of its own."""
    cursor = None if screen.cursor.hidden else (screen.cursor.y, screen.cursor.x)
    rows = []
    for row in range(screen.lines):
        looks = [
            (column, cell.data, _looks(cell, cursor == (row, column)))
            for column, cell in enumerate(
                screen.buffer[row][each] for each in range(screen.columns)
            )
        ]
        runs = []
        # A font may have wide characters that are not two columns wide: they stand by themselves.
        for (look, _), group in groupby(looks, key=lambda each: (each[2], _narrow(each[1]))):
            same = list(group)
            runs.append((same[0][0], len(same), "".join(text for _, text, _ in same), look))
        rows.append(tuple(runs))
    return rows


def _narrow(text: str) -> bool:
    return text != "" and width(text) < 2


def _looks(cell: Any, cursor: bool) -> Style:
    ink, paper, bold, underlined = style(cell)
    return (paper, ink, bold, underlined) if cursor else (ink, paper, bold, underlined)


def row_elements(runs: Sequence[Run]) -> Iterator[str]:
    """The elements of a row that begins at the left edge; each run is held to its columns."""
    for column, size, text, (ink, paper, bold, underlined) in runs:
        x, width = column * CELL, size * CELL
        if paper != PAPER:
            yield f'<rect x="{x:.1f}" width="{width:.1f}" height="{LINE}" fill="{paper}"/>'
        kept = text.rstrip() if not underlined else text
        if kept.strip():
            used = width - (len(text) - len(kept)) * CELL
            more = ' font-weight="bold"' if bold else ""
            more += ' text-decoration="underline"' if underlined else ""
            yield (
                f'<text x="{x:.1f}" y="{LINE * 0.74:.1f}" fill="{ink}"{more} '
                f'xml:space="preserve" textLength="{used:.1f}" '
                f'lengthAdjust="spacingAndGlyphs">{escape(kept)}</text>'
            )


def _opened(columns: int, rows: int) -> str:
    width, height = columns * CELL + 2 * MARGIN, rows * LINE + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="{FONT}" font-size="14">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>'
    )


def still(screen: Any) -> str:
    """A screen as SVG."""
    parts = [_opened(screen.columns, screen.lines)]
    for number, runs in enumerate(rows_of(screen)):
        elements = "".join(row_elements(runs))
        if elements:
            y = MARGIN + number * LINE
            parts.append(f'<g transform="translate({MARGIN},{y})">{elements}</g>')
    return "\n".join([*parts, "</svg>", ""])


@dataclass
class Film:
    """Screens one after the other, each for some seconds, and the bytes that made them."""

    screen: PtyScreen
    frames: list[tuple[float, list[tuple[Run, ...]]]] = field(default_factory=list)
    written: list[tuple[float, str]] = field(default_factory=list)
    _read: int = 0
    _clock: float = 0.0

    def take(self, seconds: float) -> None:
        """What is on the screen now is seen for so long."""
        rows = rows_of(self.screen.screen)
        # What a character is cut in two of comes with the next frame.
        data = bytes(self.screen.raw[self._read :])
        text = data.decode("utf-8", "ignore")
        self._read += len(data)
        self.written.append((self._clock, text))
        self._clock += seconds
        if self.frames and self.frames[-1][1] == rows:
            self.frames[-1] = (self.frames[-1][0] + seconds, rows)
        else:
            self.frames.append((seconds, rows))

    def cast(self, title: str) -> str:
        """The recording as asciinema has it, version 2."""
        import json

        columns, rows = self.screen.screen.columns, self.screen.screen.lines
        head = {"version": 2, "width": columns, "height": rows, "title": title}
        lines = [head, *([round(at, 3), "o", text] for at, text in self.written if text)]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def svg(self) -> str:
        """A moving picture: a strip of frames that jumps on. Equal rows are drawn once."""
        columns, rows = self.screen.screen.columns, self.screen.screen.lines
        names: dict[tuple[Run, ...], str] = {}
        strip = []
        for number, (_, frame) in enumerate(self.frames):
            used = [
                f'<use href="#{names.setdefault(runs, f"r{len(names)}")}" y="{place * LINE:.0f}"/>'
                for place, runs in enumerate(frame)
                if "".join(row_elements(runs))
            ]
            strip.append(
                f'<g transform="translate({number * columns * CELL:.1f})">{"".join(used)}</g>'
            )
        rows_drawn = [
            f'<g id="{name}">{"".join(row_elements(runs))}</g>' for runs, name in names.items()
        ]
        width, height = columns * CELL, rows * LINE
        return "\n".join(
            [
                _opened(columns, rows),
                f"<style>{self._moving(width)}</style>",
                f"<defs>{''.join(rows_drawn)}</defs>",
                f'<svg x="{MARGIN}" y="{MARGIN}" width="{width:.1f}" height="{height:.1f}">',
                f'<g class="strip">{"".join(strip)}</g></svg>',
                "</svg>",
                "",
            ]
        )

    def _moving(self, width: float) -> str:
        total = sum(seconds for seconds, _ in self.frames)
        steps, at = [], 0.0
        for number, (seconds, _) in enumerate(self.frames):
            steps.append(f"{at / total:.4%}{{transform:translateX({-number * width:.1f}px)}}")
            at += seconds
        return (
            f"@keyframes on{{{''.join(steps)}}}"
            f".strip{{animation:on {total:.2f}s steps(1,end) infinite}}"
        )
