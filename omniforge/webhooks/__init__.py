"""Deliveries of outside services: who sent one, which one it is, and what it says."""
