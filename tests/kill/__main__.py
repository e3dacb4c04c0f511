"""`python -m tests.kill`: the kill matrix."""

import os
import sys

from tests.kill.matrix import main

if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The SDK's runtime can crash while the interpreter goes down (sdk-python #300).
    os._exit(code)
