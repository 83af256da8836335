"""Attacks on a live server, each bounded, and what it got, what it cost, what others noticed."""

from tests.attacks.field import Pace
from tests.attacks.measure import ATTACKS, Outcome, attacked, table

__all__ = ["ATTACKS", "Outcome", "Pace", "attacked", "table"]
