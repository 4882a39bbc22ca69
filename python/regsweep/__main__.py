"""``python -m regsweep``: the same as the ``regsweep`` script."""

from regsweep.cli import main

if __name__ == "__main__":
    main()
