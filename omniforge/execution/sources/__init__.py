"""Where tools come from that only some runs have."""
