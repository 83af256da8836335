"""What can be seen of a running server: traces, figures, its health."""
