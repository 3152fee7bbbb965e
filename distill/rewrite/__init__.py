"""Plain text put into the agent's own voice: pairs to learn it by, and what may leave."""
