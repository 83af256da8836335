"""Everything that lasts; nothing outside this package knows that it is Redis."""
