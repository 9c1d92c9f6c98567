"""What the service is doing, as tables in a terminal."""
