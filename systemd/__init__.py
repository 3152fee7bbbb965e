"""systemd units, kept as files that can be read and installed."""
