"""From raw files to documents at rest, and from kept documents to a data set."""
