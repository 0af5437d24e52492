"""The ground: languages, errors, settings, tables and records. Nothing here knows a room."""
