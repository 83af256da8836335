"""argparse's own messages in Chinese: it asks gettext, which has no catalogue for them."""

import argparse
from collections.abc import Mapping
from gettext import gettext
from typing import Final

__all__ = ["CHINESE", "speak"]

CHINESE: Final[Mapping[str, str]] = {
    "usage: ": "用法：",
    "positional arguments": "参数",
    "options": "选项",
    "show this help message and exit": "显示此帮助并退出",
    "%(prog)s: error: %(message)s\n": "%(prog)s：错误：%(message)s\n",
    "argument %(argument_name)s: %(message)s": "参数 %(argument_name)s：%(message)s",
    "the following arguments are required: %s": "缺少参数：%s",
    "unrecognized arguments: %s": "无法识别的参数：%s",
    "expected one argument": "需要一个值",
    "expected at most one argument": "最多一个值",
    "expected at least one argument": "至少需要一个值",
    "ignored explicit argument %r": "不接受值 %r",
    "invalid %(type)s value: %(value)r": "无效的值：%(value)r",
    "invalid choice: %(value)r (choose from %(choices)s)": (
        "无效的选择：%(value)r（可选：%(choices)s）"
    ),
}
"""All that somebody who uses a command can get to read, by what Python 3.11 and later call it."""


def speak(language: str) -> None:
    """Have every parser speak ``language`` from now on, ``en`` or ``zh``."""
    said = CHINESE if language == "zh" else {}
    # The name by which argparse calls gettext, looked up at each message.
    vars(argparse)["_"] = lambda text: said.get(text) or gettext(text)
