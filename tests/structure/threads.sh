#!/bin/sh
# Each public function that belongs to a loop or a task has its row in tests/rules/thread_rows.def,
# where it is called from wrong threads; so a new one cannot be forgotten.

. "$WEFT_SOURCE/tests/tap.sh"

rows=$WEFT_SOURCE/tests/rules/thread_rows.def

# wanted HEADER...: "THREAD NAME" of each function that cannot be called just anywhere. What is
# left out: functions for any thread, for plain threads, and for the one that made a runner.
wanted() {
    awk -f "$WEFT_SOURCE/tests/structure/declared.awk" "$@" | awk -F '\t' '{
        thread = $4
        if (!sub(/.*Thread: */, "", thread))
            next
        sub(/ *Cancellation point:.*/, "", thread)
        if (thread ~ /^task, or a plain thread/)
            print "THREAD", $2
        else if (thread ~ /^task, callback or job/)
            next # whatever has a context; its own tests say what a plain thread gets
        else if (thread ~ /^task/ && thread !~ /^task or callback/)
            print "TASK", $2
        else if (thread ~ /^task or callback/ || thread ~ /^(any; )?(the )?loop/)
            print "LOOP", $2
    }' | sort
}

# tried FILE: the same, of the rows.
tried() { sed -n 's/^ROW([A-Z]*, \([A-Z]*\), [A-Z]*, \([a-z0-9_]*\),.*/\1 \2/p' "$1" | sort; }

wanted "$WEFT_SOURCE"/include/weft/*.h >"$TMPDIR/wanted"
tried "$rows" >"$TMPDIR/tried"

check "the headers have functions of loops and tasks" \
    test "$(grep -c '^LOOP ' "$TMPDIR/wanted")" -gt 50 -a "$(grep -c '^TASK ' "$TMPDIR/wanted")" -gt 50
expect_empty "each of them has a row" "$(comm -23 "$TMPDIR/wanted" "$TMPDIR/tried")"
expect_empty "each row has such a function" "$(comm -13 "$TMPDIR/wanted" "$TMPDIR/tried")"

cat >"$TMPDIR/planted.h" <<'END'
/**
 * weft_planted() - something new
 *
 * Return: 0.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_planted(void);
END
wanted "$TMPDIR/planted.h" >"$TMPDIR/more"
expect_found "a function without a row is found" \
    "$(comm -23 "$TMPDIR/more" "$TMPDIR/tried" | grep weft_planted)"

finish
