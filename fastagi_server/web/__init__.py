"""Static pages for browsers: no build step, and nothing from anywhere else."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the pages are, each in a folder of its own."""
