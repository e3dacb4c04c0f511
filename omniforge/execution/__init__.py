"""Running skills: the reasoning loop, the prompt, and the engine that strings skills together."""
