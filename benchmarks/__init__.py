"""One script for each measured claim."""
