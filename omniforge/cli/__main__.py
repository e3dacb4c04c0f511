"""`python -m omniforge.cli`: the same as `omniforge`."""

from omniforge.cli.app import main

if __name__ == "__main__":
    main()
