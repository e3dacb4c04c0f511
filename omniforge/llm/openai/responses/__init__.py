"""The Responses API, where OpenAI's newest models reason and call tools."""
