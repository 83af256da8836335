"""Before the chat: the menu and its forms, a server on this machine, the login."""
