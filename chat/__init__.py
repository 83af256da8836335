"""Instant messaging in the terminal, for very many users."""
