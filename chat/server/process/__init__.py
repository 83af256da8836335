"""The server as a process: how it starts, logs, reloads and ends."""
