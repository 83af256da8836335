"""Links in what people write: where they begin and end, and where they really lead."""

from unittest import TestCase

import urwid
from hypothesis import given
from hypothesis import strategies as st
from urwid.display.raw import Screen

from chat.client.links import LONGEST, MOST_LINKS, find_links
from chat.client.text import clean, fold
from chat.client.tui.panes.linking import marked
from chat.client.tui.themes import THEMES
from tests.test_text import NASTY


class LinkTests(TestCase):
    def test_a_link_is_without_the_sentence_around_it(self) -> None:
        for text, written in (
            ("see https://example.org/x.", "https://example.org/x"),
            ("(see https://example.org/x)", "https://example.org/x"),
            ("https://en.example.org/Foo_(bar)", "https://en.example.org/Foo_(bar)"),
            ("is it http://a.b/c?d=e&f=%20#g?!", "http://a.b/c?d=e&f=%20#g"),
            ("去https://a.b/c，然后", "https://a.b/c"),
            ("看《https://a.b/路径》", "https://a.b/路径"),
            ("<ftp://a.b/c>", "ftp://a.b/c"),
            ("HTTPS://A.B/", "HTTPS://A.B/"),
        ):
            found = [text[each.start : each.end] for each in find_links(text)]
            self.assertEqual(found, [written], text)

    def test_what_leads_nowhere_is_no_link(self) -> None:
        for text in ("http://", "xhttp://a.b", "http://x:99999/", "http://[/", "a.b/c", "https:a"):
            self.assertEqual(list(find_links(text)), [], text)

    def test_the_target_is_what_the_network_knows(self) -> None:
        for text, target, host in (
            ("https://аpple.com/", "https://xn--pple-43d.com/", "xn--pple-43d.com"),
            ("https://例子.测试/路", "https://xn--fsqu00a.xn--0zwm56d/%E8%B7%AF",
             "xn--fsqu00a.xn--0zwm56d"),
            ("http://bank.example@evil.example/", "http://bank.example@evil.example/",
             "evil.example"),
            ("http://[::1]:80/x", "http://[::1]:80/x", "::1"),
        ):  # fmt: skip
            (link,) = find_links(text)
            self.assertEqual((link.target, link.host), (target, host))

    def test_too_long_and_too_many_are_left_alone(self) -> None:
        room = LONGEST - len("http://a.b/")
        self.assertEqual(len(list(find_links("http://a.b/" + "x" * room))), 1)
        self.assertEqual(len(list(find_links("http://a.b/" + "x" * (room + 1)))), 0)
        self.assertEqual(len(list(find_links("http://a.b " * (MOST_LINKS + 9)))), MOST_LINKS)

    @given(NASTY, NASTY)
    def test_any_target_is_one_that_a_terminal_can_be_told(self, before: str, after: str) -> None:
        text = clean(f"{before} https://{after}/{before}")
        for link in find_links(text):
            self.assertTrue(link.target.isascii() and link.target.isprintable())
            urwid.Hyperlink(link.target)


class MarkedTests(TestCase):
    def test_every_row_of_a_folded_link_leads_to_the_whole(self) -> None:
        text = "see https://example.org/a/very/long/path for more"
        rows = marked(text, fold(text, 12), None)
        self.assertEqual(["".join(part for _, part in row) for row in rows], fold(text, 12))
        linked = [(part, role) for row in rows for role, part in row if role is not None]
        self.assertEqual(
            "".join(part for part, _ in linked), "https://example.org/a/very/long/path"
        )
        self.assertEqual(len({role for _, role in linked}), 1)
        self.assertIn("https://example.org/a/very/long/path", repr(linked[0][1]))

    def test_the_terminal_is_told_the_target_and_the_colour_of_links(self) -> None:
        terminal = Screen()
        terminal.register_palette(THEMES["dark"].palette())
        terminal.set_terminal_properties(256, hyperlinks=True)
        text = "see https://example.org/x"
        (((_, before), (role, link), (after, rest)),) = marked(text, [text], None)
        self.assertEqual((before, link, rest), ("see ", "https://example.org/x", ""))
        # What fills the row up behind it is no link.
        self.assertIsNone(after)
        told = terminal._attr_to_escape(role)
        self.assertRegex(
            told, r"^\x1b\[0;38;5;\d+;4;49m\x1b\]8;id=\w+;https://example.org/x\x1b\\$"
        )
        terminal.set_terminal_properties(256, hyperlinks=False)
        self.assertNotIn("]8;", terminal._attr_to_escape(role))

    @given(st.lists(st.one_of(NASTY, st.just(" https://a.b/c ")), max_size=4), st.integers(2, 40))
    def test_the_text_is_never_changed(self, parts: list[str], columns: int) -> None:
        text = clean("".join(parts))
        lines = fold(text, columns)
        rows = marked(text, lines, None)
        self.assertEqual(["".join(part for _, part in row) for row in rows], lines)
