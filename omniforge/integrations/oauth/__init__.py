"""How an account of an outside service is connected, and how its tokens are kept fresh."""
