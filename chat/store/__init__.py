"""Everything that lasts; nobody outside this package knows that it is Redis."""
