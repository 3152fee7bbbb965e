"""A made-up agent's life, so that a whole night can be tried on any machine."""
