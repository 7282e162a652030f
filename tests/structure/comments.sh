#!/bin/sh
# Each public function says what it returns, which thread may call it and whether it is a
# cancellation point: that is what a caller would otherwise read the source for.

. "$WEFT_SOURCE/tests/tap.sh"

# find_violations HEADER...
find_violations() {
    awk -f "$WEFT_SOURCE/tests/structure/declared.awk" "$@" | awk -F '\t' '
        function complain(why) { print $1 ": " $2 "(): " why }
        $4 == "" { complain("has no doc comment directly before it"); next }
        index($4, $2 "() - ") != 1 { complain("its comment does not begin with \"" $2 "() - \"") }
        $3 != "void" && $4 !~ / Return: / { complain("its comment lacks \"Return:\"") }
        $4 !~ / Thread: / { complain("its comment lacks \"Thread:\"") }
        $4 !~ / Cancellation point: (yes|no)/ {
            complain("its comment lacks \"Cancellation point: yes\" or \"no\"")
        }'
}

# plant TEXT: is a header of this text found to be wrong?
plant() {
    printf '%s\n' "$1" >"$TMPDIR/planted.h"
    find_violations "$TMPDIR/planted.h"
}

# Not $(...) in the middle of a quoted text: a sed script each, on a header that is right.
right='/**
 * weft_plan() - make a plan
 * @n: steps
 *
 * Return: the plan.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK struct weft_plan *weft_plan(int n)
	WEFT_PRINTF(1, 2);'
wrong() { plant "$(echo "$right" | sed "$1")"; }

expect_empty "each public function is documented" \
    "$(find_violations "$WEFT_SOURCE"/include/weft/*.h)"
check "there are public functions at all" \
    grep -q '^WEFT_API' "$WEFT_SOURCE/include/weft/base.h"

expect_empty "finds nothing wrong with a full comment" "$(plant "$right")"
expect_empty "void functions need no Return" \
    "$(wrong '/Return/d; s/struct weft_plan \*weft_plan/void weft_plan/')"
expect_found "finds a missing comment" "$(wrong '/^\/\*\*/,/\*\//d')"
expect_found "finds a comment that is not a doc comment" "$(wrong 's|^/\*\*|/*|')"
expect_found "finds a comment that an empty line parts" "$(wrong 's|^ \*/|&\n|')"
expect_found "finds a comment of another function" "$(wrong 's/weft_plan() -/weft_plane() -/')"
expect_found "finds a missing Return" "$(wrong '/Return/d')"
expect_found "finds a missing Thread" "$(wrong '/Thread/d')"
expect_found "finds a missing Cancellation point" "$(wrong '/Cancellation/d')"

finish
