"""Says of each file whether the reference parser of VNN-LIB 2.0 takes it: a line `ok FILE` or `no FILE`."""

import sys

import vnnlib

for path in sys.argv[1:]:
    try:
        vnnlib.parse_query_file(path)
        print("ok", path)
    # The parser raises more than its own exception: whatever it does not take.
    except Exception:
        print("no", path)
