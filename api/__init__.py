"""HTTP in: requests become work, and what comes of it is told."""
