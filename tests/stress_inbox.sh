#!/bin/sh
# A short run of the stress test; `./quickstart check --all` has the long one.

. "$WEFT_SOURCE/tests/tap.sh"

check "posts to a sleeping loop are not lost" "$WEFT_BUILD/tests/stress_inbox" 300000
finish
