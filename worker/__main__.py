"""`python -m worker`: one worker process."""

import logging
import os
import sys

from worker.main import main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stderr.flush()
    # The SDK's runtime can crash while the interpreter goes down (sdk-python #300).
    os._exit(code)
