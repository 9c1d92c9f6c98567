"""What keeps a service from working, found by looking: one module a group of looks.

A look changes nothing, has a deadline and says what it found, why that matters and what mends it.
"""
