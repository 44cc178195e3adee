"""``python -m medhome`` is the command ``medhome``."""

from medhome.cli import main

if __name__ == "__main__":
    main()
