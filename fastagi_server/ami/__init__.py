"""The manager interface of one Asterisk: events as they happen, and what is there when asked."""
