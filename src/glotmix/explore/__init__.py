"""The explorer: a local page on the finished tables of a run. It reads them where they are and writes nothing."""
