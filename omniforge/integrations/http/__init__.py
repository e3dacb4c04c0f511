"""HTTP toward connected services: who may send what, how fast, how often, and what came of it."""
