"""Recordings of the screen: made, veiled, played, and replayed."""
