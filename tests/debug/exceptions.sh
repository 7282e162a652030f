#!/bin/sh
# C++ exceptions work inside a task; one that leaves a task ends the program, since the stack's
# first frame is where unwinding ends.

. "$WEFT_SOURCE/tests/tap.sh"

libs=$WEFT_BUILD/.libs
if ! command -v "${CXX:-none}" >/dev/null; then
    reason="there is no C++ compiler"
elif nm -D "$libs/libweft.so" | grep -q '__[at]san_init'; then
    reason="the program would need the sanitizer, too"
else
    reason=
fi
if [ -n "$reason" ]; then
    skip "exceptions are thrown and caught in tasks" "$reason"
    finish
    exit
fi

check "a program in C++ builds" "$CXX" -std=c++17 -O2 -g -I"$WEFT_SOURCE/include" \
    -o "$TMPDIR/exceptions" "$WEFT_SOURCE/tests/debug/exceptions.cc" -L"$libs" \
    -Wl,-rpath,"$libs" -lweft -pthread

expected='destroyed NAME
destroyed NAME
destroyed NAME
caught what was thrown by NAME
destroyed NAME
destroyed NAME
destroyed NAME
caught what was thrown by NAME'

"$TMPDIR/exceptions" >"$TMPDIR/said" 2>&1
check "it ends well" test $? = 0
for name in a b; do
    check "task $name catches what it throws, and destroys what is on the way" \
        test "$(grep -w "$name" "$TMPDIR/said")" = "$(echo "$expected" | sed "s/NAME/$name/")"
done

WEFT_DEBUG=1 "$TMPDIR/exceptions" break >"$TMPDIR/said" 2>&1
check "debug mode tells of a wait inside a catch" \
    grep -q 'waits_in_a_catchPv" waits inside a catch' "$TMPDIR/said"
check "and of one while an exception is on its way" \
    grep -q 'waits_while_unwindingPv" waits while an exception is on its way' "$TMPDIR/said"
check "each once, and of nothing else" test "$(wc -l <"$TMPDIR/said")" = 2
"$TMPDIR/exceptions" break >"$TMPDIR/said" 2>&1
check "without debug mode nobody looks" test ! -s "$TMPDIR/said"

(ulimit -c 0; "$TMPDIR/exceptions" leave >"$TMPDIR/said" 2>&1) 2>/dev/null
check "an exception that leaves a task aborts the program" test $? = 134
check "and says what it was" grep -q 'nobody catches this' "$TMPDIR/said"

finish
