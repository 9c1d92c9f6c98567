"""Who is there, in which state, and who is told of it; without I/O."""
