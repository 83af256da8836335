"""``chatroom admin``: what whoever runs a server does to it while it runs, through the store."""
