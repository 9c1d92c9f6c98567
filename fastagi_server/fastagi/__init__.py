"""AGI over TCP: accepts Asterisk's connections, runs a route for each, ends each one cleanly."""
