"""The process that holds the listening socket, and the processes that serve on it, one after the other."""
