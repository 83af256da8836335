"""What keys and commands do, and the tables in which they stand."""
