#!/bin/sh
# A short run of the stress test; `./quickstart check --all` has the long one.

. "$WEFT_SOURCE/tests/tap.sh"

check "each item of a channel is gotten exactly once" "$WEFT_BUILD/tests/stress_channel" 500
finish
