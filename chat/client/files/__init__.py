"""What the client keeps on this machine: its settings, the cache, and where they are."""
