"""Every attack on a live server: what it gets is bounded, and others go on talking."""

from pathlib import Path

import pytest

from tests.attacks import ATTACKS, Outcome, Pace, attacked, table

MEMORY = 160.0
"""MiB: half frames of strangers may take 64, and Python keeps some of what it has freed."""

BRIEF = Pace(seconds=0.6, quiet=1.5, argon2="1,4096,1")

SECURITY = (Path(__file__).parent.parent / "SECURITY.rst").read_text(encoding="utf-8")


def tolerable(outcome: Outcome) -> bool:
    """What is judged is that nobody is kept from talking, not this machine's speed."""
    return outcome.p99 < 1.0 or outcome.ratio < 40


def test_no_attack_gets_more_than_its_bound_or_keeps_others_from_talking(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = list(attacked(BRIEF, tolerable))
    with capsys.disabled():
        print("", table(outcomes), sep="\n")
    assert len(outcomes) == len(ATTACKS) + 1
    for each in outcomes:
        assert tolerable(each), each
        assert each.memory < MEMORY, each


def test_the_table_in_the_documentation_has_every_attack() -> None:
    for each in ATTACKS:
        assert f"   * - {(each.__doc__ or '').strip()}\n" in SECURITY
