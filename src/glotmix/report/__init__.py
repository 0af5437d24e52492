"""One self-contained HTML page that shows what was done and why."""
