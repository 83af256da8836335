"""The sentences of the screen, one module per language."""
