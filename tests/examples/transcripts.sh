#!/bin/sh
# Each example prints what the comment at its end says. All of them are played at the same time:
# most of what they do is sleep.

. "$WEFT_SOURCE/tests/tap.sh"
. "$WEFT_SOURCE/tests/examples/play.sh"

names=$(cd "$WEFT_SOURCE/examples" && ls ./*.c | sed 's|^./||; s/\.c$//')

for name in $names; do
    (play "$name") &
done
wait

for name in $names; do
    if [ -s "$TMPDIR/$name/expected" ]; then
        check "$name prints what its page says" \
            diff -u "$TMPDIR/$name/expected" "$TMPDIR/$name/said"
    else
        fail "$name prints what its page says" "there is no transcript in its last comment"
    fi
done

# The two tasks show that they share a thread: masked above, so looked at here.
check "two_tasks runs both on one thread" sh -c \
    "[ \$(grep -o '0x[0-9a-f]*' '$TMPDIR/two_tasks/said.raw' | sort -u | wc -l) = 1 ]"
check "workers replaces the process that crashed" sh -c \
    "[ \$(grep '^worker 0' '$TMPDIR/workers/said.raw' | cut -d ' ' -f 4 | sort -u | wc -l) = 2 ]"
expect_empty "nothing is left running" "$(left_running)"

# planted TEXT...: is a page that ends in these lines found to be wrong?
planted() {
    rm -rf "$TMPDIR/planted" && mkdir -p "$TMPDIR/planted/examples"
    { echo "/*" && printf ' *\t%s\n' "$@" && echo " */"; } >"$TMPDIR/planted/examples/page.c"
    (WEFT_SOURCE=$TMPDIR/planted TMPDIR=$TMPDIR/planted play page)
    diff "$TMPDIR/planted/page/expected" "$TMPDIR/planted/page/said"
}
right="350 hours of retries: ok"
expect_empty "accepts a page that is right" "$(planted '$ ./virtual_time' "$right")"
expect_found "finds a page that is wrong" "$(planted '$ ./virtual_time' "3$right")"
expect_found "finds a program that fails" "$(planted '$ ./virtual_time && exit 3' "$right")"
expect_found "finds a program that is not there" "$(planted '$ ./virtual_tome' "$right")"

finish
