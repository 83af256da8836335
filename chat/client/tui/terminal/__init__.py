"""The terminal itself: its input, its pen, and as few bytes to it as possible."""
