"""``chatroom-soak``: real servers and stores under load, broken on purpose and judged."""
