"""What an SGE call is and what may happen to it; no I/O."""
