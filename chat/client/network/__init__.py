"""One connection to a server: found, secured, watched, opened again when it is lost."""
