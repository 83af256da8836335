"""The linear mode: lines in, lines out, for screen readers, simple terminals and pipes."""
