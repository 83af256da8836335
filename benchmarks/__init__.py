"""How fast the server is: it, its store and its peers under load on one machine, in one run."""
