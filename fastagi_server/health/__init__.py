"""How the service is: what it depends on, how each of it stands, and what that comes to."""
