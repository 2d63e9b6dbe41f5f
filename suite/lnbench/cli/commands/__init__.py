"""The verbs of the command line, grouped by what they work on. Nothing else imports them."""
