"""What the cache's index has of a text, and what it is asked for: words, or single characters."""

import re
import unicodedata

from chat.client.text import bounded_marks

__all__ = ["indexed", "liked", "matching"]

# Written without spaces: each character is a word of its own, and what is looked for is a run.
_UNSPACED = re.compile(
    "([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)


def indexed(text: str) -> str:
    """``text`` as it is put into the index, cut into words by its spaces and punctuation."""
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", bounded_marks(text)))


def matching(text: str) -> str:
    """The query for the index; empty when there is no word in ``text``.

    Each word must be there, as the beginning of a word; Chinese and Japanese just as written.
    """
    words = [" ".join(indexed(word).split()) for word in text.replace("\0", " ").split()]
    return " ".join(
        f'"{word.replace(chr(34), chr(34) * 2)}" *'
        for word in words
        if any(each.isalnum() for each in word)
    )


def liked(text: str) -> str:
    """The pattern (for LIKE) that finds ``text`` itself, where it has no word, as a smile."""
    wanted = indexed(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{wanted}%"
