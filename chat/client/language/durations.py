"""Durations as people write them: ``90``, ``10m``, ``1d12h``, ``2小时``. Pure."""

import re
from typing import Final

__all__ = ["UNITS", "read_duration", "read_minutes", "write_duration"]

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_CHINESE: Final = {"周": "w", "天": "d", "小时": "h", "分钟": "m", "分": "m", "秒": "s"}
_WRITTEN = re.compile(r"(\d{1,9})([wdhms]?)", re.ASCII)
_WHOLE = re.compile(r"(?:\d{1,9}[wdhms])+|\d{1,9}", re.ASCII)


def read_duration(text: str) -> int | None:
    """Seconds, None when ``text`` is no duration."""
    text = text.lower()
    for unit, letter in _CHINESE.items():
        text = text.replace(unit, letter)
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(number) * UNITS[unit or "s"] for number, unit in _WRITTEN.findall(text))


def read_minutes(text: str) -> int:
    """The same in minutes, which a lone number has; 0 when it is no duration, or a shorter one."""
    return (read_duration(f"{int(text[:9])}m" if text.isdecimal() else text) or 0) // 60


def write_duration(seconds: int) -> str:
    """The same the other way round, the shortest that is exact: ``1d12h``."""
    parts, seconds = [], max(0, seconds)
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
