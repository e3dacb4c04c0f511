"""The turns of one skill, and what keeps them within bounds."""
