"""Every message out and in once, in order: what waits, what is missing, what was read."""
