"""Tests: ``pytest`` runs them all, ``python -m twisted.trial tests`` every TestCase."""
