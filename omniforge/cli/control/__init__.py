"""What people ask of a run."""
