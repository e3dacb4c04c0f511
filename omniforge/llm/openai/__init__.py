"""Models over OpenAI's two APIs: Responses at its own address, Chat Completions everywhere else."""
