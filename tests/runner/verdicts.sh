#!/bin/sh
# The test runner in use passes, fails and skips what it should; so does tests/run around it.

. "$WEFT_SOURCE/tests/tap.sh"

sh "$WEFT_SOURCE/tests/run" "$WEFT_BUILD/tests/runner/verdicts" >"$TMPDIR/said" 2>&1

# Lines such as "pass::checks_that_hold", whose first word is what has to become of the test.
results() { grep -E "$1" "$TMPDIR/said" | grep -oE '(pass|fail|skip)::[a-z_]+' | sort -u; }

passed=$(results '^ok' | grep -v -F "$(results '# SKIP')")
failed=$(results '^not ok')
skipped=$(results '# SKIP')

expect_empty "what should fail, fails" "$(echo "$passed$skipped" | grep '^fail')"
expect_empty "what should pass, passes" "$(echo "$failed$skipped" | grep '^pass')"
expect_empty "what should be skipped, is" "$(echo "$passed$failed" | grep '^skip')"
check "there are verdicts" test -n "$passed$failed$skipped"
for name in $(sed -n 's/^Test(\([a-z]*\), \([a-z_]*\).*/\1::\2/p' "$WEFT_SOURCE/tests/runner/verdicts.c" | grep -v '^report'); do
    check "$name was run" sh -c "echo '$passed $failed $skipped' | grep -q -w '$name'"
done
check "the reason for a skip is told" grep -q 'SKIP.*because of 42' "$TMPDIR/said"
check "the message of a failed check is told" grep -q 'expected 2' "$TMPDIR/said"
check "fini runs after a failed check" grep -q "fini was here" "$TMPDIR/said"

# What surrounds the runner.
cat >"$TMPDIR/ends_early.sh" <<'END'
echo "1..2"
echo "ok 1 - one"
exit 0
END
cat >"$TMPDIR/reports.sh" <<'END'
echo "1..1"
echo "ok 1 - one"
report=${ASAN_OPTIONS##*log_path=}
echo "a leak" >"${report%%:*}.123"
END
cat >"$TMPDIR/hangs.sh" <<'END'
sleep 20
END
check "a program that ends early has failed" sh -c \
    'sh "$WEFT_SOURCE/tests/run" "$TMPDIR/ends_early.sh" | grep -q "^not ok 2.*after 1 of 2"'
check "a sanitizer report is a failure" sh -c \
    'sh "$WEFT_SOURCE/tests/run" "$TMPDIR/reports.sh" | grep -q "^not ok 2.*sanitizer"'
check "a program that hangs has failed" sh -c \
    'WEFT_TEST_LIMIT=1 sh "$WEFT_SOURCE/tests/run" "$TMPDIR/hangs.sh" | grep -q "^not ok.*within 1 s"'

# What a tool finds is a failure, although the test itself has passed.
case ${WEFT_TEST_BUILD-} in
    asan) check "a leak of memory is a failure" sh -c \
        'sh "$WEFT_SOURCE/tests/run" "$WEFT_BUILD/tests/runner/verdicts" --filter report/leak_of_memory |
            grep -q "^not ok.*sanitizer"' ;;
    tsan) check "a data race is a failure" sh -c \
        'sh "$WEFT_SOURCE/tests/run" "$WEFT_BUILD/tests/runner/verdicts" --filter report/data_race |
            grep -q "^not ok.*sanitizer"' ;;
    valgrind) check "a leak of memory is a failure" sh -c \
        'sh "$WEFT_SOURCE/tests/run" "$WEFT_BUILD/tests/runner/verdicts" --filter report/leak_of_memory |
            grep -q "^not ok.*leak_of_memory"' ;;
esac

finish
