"""HTTP in and out: the only package that knows the web framework. Thin."""
