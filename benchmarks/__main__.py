"""`python -m benchmarks`, from any Python 3.11: see `scenarios` for the options."""

import sys

from benchmarks.isolation import enter_environment

if __name__ == "__main__":
    enter_environment(sys.argv[1:])
    from benchmarks.scenarios import main  # only there are the peers installed

    sys.exit(main())
