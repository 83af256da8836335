"""Instant messaging for very many users, in the terminal."""
