"""The store that the server brings: a private Valkey, its directory, its files and their repair."""
