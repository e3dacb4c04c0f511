"""The steps of a skill that need no judgement, written in plain markdown."""
