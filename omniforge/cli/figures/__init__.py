"""What agents have done, and what they will cost."""
