"""What was said: one SQLite file that holds every message."""
