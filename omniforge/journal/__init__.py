"""The journal: every model call, tool call and effect of a run, recorded so that nothing is done twice."""
