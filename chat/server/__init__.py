"""The server: from a socket to the store and back to every socket of the audience."""
