"""The pipeline: a recipe, the plan of its steps, their run, and the story of one document."""
