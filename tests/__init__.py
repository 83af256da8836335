"""Tests: ``pytest`` runs them all, ``python -m twisted.trial tests`` every TestCase."""

from hypothesis import settings

# How long an example takes depends on who else uses the machine: budgets of time are test_budgets'.
settings.register_profile("chatroom", deadline=None)
settings.load_profile("chatroom")
