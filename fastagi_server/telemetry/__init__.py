"""What the program tells about itself: log lines, errors, traces and measures."""
