"""Fuzzing: whatever a client sends is answered, or ends the connection, and was foreseen."""
