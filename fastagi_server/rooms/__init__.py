"""What a room is, who is in it, and what may happen to it; no I/O."""
