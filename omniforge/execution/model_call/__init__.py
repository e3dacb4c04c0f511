"""One call of a model: the tries it takes, and what people see of it meanwhile."""
