"""Running programs that nobody has to trust: without network, other files, or a way to stay."""
