"""The Chat Completions API, which nearly every server speaks, each in a dialect."""
