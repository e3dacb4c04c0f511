"""Tables as people export them: reading, asking, grouping, joining and writing them."""
