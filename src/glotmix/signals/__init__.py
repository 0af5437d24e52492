"""Tables with one row per document that say something of it and decide nothing."""
