"""Time and order: what runs when, what waits for whom. No I/O."""
