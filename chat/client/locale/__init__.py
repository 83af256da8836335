"""The sentences of the screen, one module for each language."""
