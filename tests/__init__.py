"""Tests: ``pytest`` runs them all, ``python -m twisted.trial tests`` every TestCase."""

from hypothesis import HealthCheck, settings

# How long an example takes depends on who else uses the machine.
settings.register_profile("chatroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chatroom")
