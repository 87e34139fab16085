"""`python -m race` is the same as `race`."""

import sys

from race.cli import main

if __name__ == "__main__":
    sys.exit(main())
