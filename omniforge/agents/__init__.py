"""What an agent is, which version of it runs, and in which order its skills go."""
