"""How the gateway shows providers who it is, where that is not a key but made of something: signatures and tokens."""
