"""``--workers``: several processes behind the same ports, and the one that looks after them."""
