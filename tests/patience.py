"""How long a test waits for what has to happen."""

__all__ = ["PATIENCE"]

PATIENCE = 60.0
"""Seconds: much longer than anything takes, however busy the machine is.

Tests wait for what happens and not for a time, so it costs nothing unless something is wrong.
(Trial gives a test 120 seconds.)
"""
