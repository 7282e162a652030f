# For test scripts: sourced, not run. Results go to stdout as TAP, which tests/run reads.
#
#   . "$WEFT_SOURCE/tests/tap.sh"
#   check "sockets are closed" test "$n" = 3        passes if the command succeeds
#   expect_empty "no include points up" "$list"     passes if the text is empty, else shows it
#   skip "as C++" "there is no C++ compiler"
#   finish                                          at the end, always
#
# WEFT_SOURCE and WEFT_BUILD are the two trees, CC and CXX the compilers; TMPDIR is the script's
# own, empty, and removed by others.

tap_n=0

pass() {
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1"
}

# fail NAME [TEXT]
fail() {
    tap_n=$((tap_n + 1))
    echo "not ok $tap_n - $1"
    [ -z "${2-}" ] || echo "$2" | sed 's/^/#   /'
}

check() {
    tap_name=$1
    shift
    if tap_output=$("$@" 2>&1); then pass "$tap_name"; else fail "$tap_name" "$tap_output"; fi
}

expect_empty() {
    if [ -z "$2" ]; then pass "$1"; else fail "$1" "$2"; fi
}

# The test of the test: what finds violations must find the one that was planted.
expect_found() {
    if [ -n "$2" ]; then pass "$1"; else fail "$1" "nothing was found"; fi
}

skip() {
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

finish() {
    echo "1..$tap_n"
}
