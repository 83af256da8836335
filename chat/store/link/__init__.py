"""Connections to the store: where it is, how to log in, calls, publications."""
