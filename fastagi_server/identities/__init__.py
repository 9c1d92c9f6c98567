"""Who asks, by which proof, and what that allows; without I/O."""
