"""When things happen: the command line, the daemon and the night."""

__version__ = "0.1.0"
