"""What goes out: the data set, its card, its blends."""
