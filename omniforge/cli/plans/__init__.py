"""What runs after what, drawn."""
