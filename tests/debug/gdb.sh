# For the test scripts here that need gdb: sourced, not run, after tests/tap.sh.

# Prints why gdb cannot be used here; nothing if it can.
why_no_gdb() {
    if ! command -v gdb >/dev/null; then
        echo "gdb is not installed"
    elif ! gdb -nx -batch -ex 'python import gdb' >/dev/null 2>&1; then
        echo "this gdb was built without Python"
    elif ! gdb -nx -batch -ex 'set startup-with-shell off' -ex run "$(command -v true)" 2>&1 |
        grep -q 'exited normally'; then
        echo "gdb may not trace programs here"
    elif [ -n "${WEFT_TEST_WRAPPER-}" ]; then
        echo "programs run by way of ${WEFT_TEST_WRAPPER%% *}"
    fi
}
