"""The painter: whatever was shown before, the terminal shows the frame that was asked for."""

from collections.abc import Hashable, Sequence
from unittest import TestCase

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.text import width
from chat.client.tui.terminal.paint import Painter
from chat.client.tui.terminal.pen import PLAIN, pen_of

Frame = tuple[list[list[tuple[Hashable, str]]], tuple[int, int] | None]

COLUMNS, ROWS = 30, 8

STYLES = {
    None: "\x1b[0;39;49m",
    "name": "\x1b[0;38;5;71;49m",
    "bar": "\x1b[0;30;48;5;250m",
    "mention": "\x1b[0;33;1;49m",
    "reverse": "\x1b[0;39;7;49m",
    "under": "\x1b[0;38;2;1;2;3;4;44m",
}


class Terminal:
    """What a person sees: pyte, fed with what a painter says."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("\x1b[?7l")
        self.painter = Painter(lambda attribute: STYLES[attribute])  # type: ignore[index]  # one of them
        self.written = 0

    def show(self, frame: Frame) -> int:
        """Draw; how many bytes that took."""
        said = self.painter.paint(frame[0], COLUMNS, frame[1])
        self.stream.feed(said)
        return len(said.encode())

    def cells(self) -> list[list[tuple[object, ...]]]:
        """Everything that can be seen, cell by cell."""
        found = []
        for row in range(ROWS):
            line = self.screen.buffer[row]
            found.append([_seen(line[column]) for column in range(COLUMNS)])
        return found

    def cursor(self) -> tuple[int, int] | None:
        place = self.screen.cursor
        return None if place.hidden else (place.x, place.y)


def _seen(cell: "pyte.screens.Char") -> tuple[object, ...]:
    fore = cell.fg if cell.data.strip() or cell.reverse or cell.underscore else ""
    bold = cell.bold and bool(cell.data.strip())
    return cell.data, fore, cell.bg, bold, cell.reverse, cell.underscore


def fresh(frame: Frame) -> Terminal:
    """A terminal that shows ``frame`` and never showed anything else."""
    terminal = Terminal()
    terminal.show(frame)
    return terminal


def filled(row: Sequence[tuple[Hashable, str]]) -> list[tuple[Hashable, str]]:
    """``row`` cut or filled up to the width of the terminal."""
    left, found = COLUMNS, []
    for attribute, text in row:
        while width(text) > left:
            text = text[:-1]
        left -= width(text)
        found.append((attribute, text))
    return [*found, (None, " " * left)]


LETTERS = st.sampled_from([*"ab01 │●字幕ñ한😀☂", "e\u0301"])
TEXTS = st.lists(LETTERS, max_size=14).map("".join)
PARTS = st.tuples(st.sampled_from(list(STYLES)), TEXTS)
LINES = st.lists(PARTS, max_size=4).map(filled)
CURSORS = st.none() | st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1))


@st.composite
def frames(draw: st.DrawFn) -> list[Frame]:
    """Frames as a chat has them: lines move up and down, change, stay."""
    lines = draw(st.lists(LINES, min_size=ROWS, max_size=3 * ROWS))
    found: list[Frame] = []
    for _ in range(draw(st.integers(1, 5))):
        top = draw(st.integers(0, len(lines) - ROWS))
        shown = lines[top : top + ROWS]
        for _ in range(draw(st.integers(0, 3))):
            shown = list(shown)
            shown[draw(st.integers(0, ROWS - 1))] = draw(LINES)
        found.append((shown, draw(CURSORS)))
    return found


class PaintTests(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(frames())
    def test_any_frames_after_one_another_are_shown_as_if_each_were_drawn_afresh(
        self, shown: list[Frame]
    ) -> None:
        terminal = Terminal()
        for frame in shown:
            terminal.show(frame)
            afresh = fresh(frame)
            self.assertEqual(terminal.screen.display, afresh.screen.display)
            self.assertEqual(terminal.cells(), afresh.cells())
            self.assertEqual(terminal.cursor(), frame[1])

    def test_what_is_drawn_afresh_is_what_was_asked_for(self) -> None:
        rows = [filled([("name", f"字{each}"), (None, " plain")]) for each in range(ROWS)]
        terminal = fresh((rows, (3, 2)))
        self.assertEqual(terminal.screen.display[2].rstrip(), "字2 plain")
        self.assertEqual(terminal.screen.buffer[2][0].fg, "5faf5f")

    def test_what_nobody_has_cleaned_is_no_order_to_a_terminal(self) -> None:
        evil = "\x1b]0;owned\x07\x9b31m\u202e"
        written = Painter(lambda attribute: "\x1b[0;39;49m").paint(
            [[(None, evil.ljust(COLUMNS))]], COLUMNS, None
        )
        self.assertIn("?]0;owned??31m?", written)

    def test_a_typed_letter_costs_one_byte_and_an_unchanged_frame_none(self) -> None:
        rows = [filled([(None, f"row {each}")]) for each in range(ROWS)]
        terminal = fresh((rows, (5, ROWS - 1)))
        self.assertEqual(terminal.show((rows, (5, ROWS - 1))), 0)
        written = [*rows[:-1], filled([(None, f"row {ROWS - 1}x")])]
        self.assertEqual(terminal.show((written, (6, ROWS - 1))), 1)

    def test_a_row_that_comes_in_below_scrolls_the_others(self) -> None:
        side = [f"{each:<8}│" for each in ("ann", "bob", "", "", "", "", "", "")]
        talk = [f"message {each} of many" for each in range(ROWS + 1)]
        before = [filled([("bar", left), (None, t)]) for left, t in zip(side, talk, strict=False)]
        after = [filled([("bar", left), (None, t)]) for left, t in zip(side, talk[1:], strict=True)]
        terminal = fresh((before, None))
        whole = sum(len(text) for row in after for _, text in row)
        self.assertLess(terminal.show((after, None)), whole / 2)
        self.assertEqual(terminal.cells(), fresh((after, None)).cells())

    def test_what_is_forgotten_is_drawn_from_an_empty_terminal(self) -> None:
        rows = [filled([(None, f"row {each}")]) for each in range(ROWS)]
        terminal = fresh((rows, None))
        terminal.stream.feed("\x1b[3;3Hrubbish of another program\x1b[7m")
        terminal.painter.forget()
        terminal.show((rows, None))
        self.assertEqual(terminal.cells(), fresh((rows, None)).cells())


class PenTests(TestCase):
    def test_equal_styles_are_one_pen(self) -> None:
        self.assertIs(pen_of("\x1b[0;39;49m"), PLAIN)
        self.assertIs(pen_of(STYLES["under"]), pen_of("\x1b[0;4;44;38;2;1;2;3m"))

    def test_a_link_is_part_of_a_pen(self) -> None:
        link = "\x1b]8;;https://example.org\x1b\\"
        self.assertEqual(pen_of(f"\x1b[0;39;49m{link}").link, link)
