"""Who may connect, log in and talk, how often, and from where."""
