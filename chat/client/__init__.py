"""What people and programs use to reach a chatroom server."""
