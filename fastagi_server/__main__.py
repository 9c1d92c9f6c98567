"""`python -m fastagi_server`."""

from fastagi_server.cli import main

if __name__ == "__main__":
    main()
