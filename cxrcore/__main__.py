"""`python -m cxrcore` is the command `cxr`."""

from cxrcore.cli import main

main()
