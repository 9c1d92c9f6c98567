"""What the manager interface tells of every call, whoever leads it, written into the records."""
