"""Emoji by name: each is one character of two columns that no terminal takes for several."""

from unittest import TestCase

from chat.client.language.emoji import emoji_for
from chat.client.text import clean, width


class EmojiTests(TestCase):
    def test_whole_names_come_before_beginnings_and_those_before_what_is_inside(self) -> None:
        found = list(emoji_for("cat"))
        self.assertEqual(found[:2], ["🐱", "😺"])
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(list(emoji_for("")), [])
        self.assertIn("👻", emoji_for("OST"))

    def test_each_is_one_character_that_is_drawn_as_it_is_everywhere(self) -> None:
        every = {emoji for letter in "abcdefghijklmnopqrstuvwxyz1+-" for emoji in emoji_for(letter)}
        self.assertGreater(len(every), 200)
        for emoji in every:
            self.assertEqual((len(emoji), width(emoji), clean(emoji)), (1, 2, emoji))
