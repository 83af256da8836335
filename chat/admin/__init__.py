"""``chatroom admin``: what operators do to a server while it runs, through its store."""
