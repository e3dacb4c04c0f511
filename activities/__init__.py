"""Side effects as Temporal sees them. Each activity translates: payload in, one call to the library."""
