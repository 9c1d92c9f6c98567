"""Reference pages; `generate` writes those that the code can speak for."""
