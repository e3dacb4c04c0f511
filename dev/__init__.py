"""The whole platform as processes of one machine: `python -m dev up`."""
