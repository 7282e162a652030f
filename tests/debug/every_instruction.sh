#!/bin/sh
# A debugger shows the right stack at every instruction, in the midst of a switch as well: the
# unwind information of the assembly and of the jump into it (task/switch.h) is right.

. "$WEFT_SOURCE/tests/tap.sh"
. "$WEFT_SOURCE/tests/debug/gdb.sh"

reason=$(why_no_gdb)
if [ -n "$reason" ]; then
    :
elif nm "$WEFT_BUILD/tests/debug/switching" | grep -q '__[at]san_init'; then
    reason="a sanitizer's switches take a debugger hours"
elif nm -D "$WEFT_BUILD/.libs/libweft.so" | grep -q makecontext; then
    reason="the switch is that of libc, which promises less"
fi
if [ -n "$reason" ]; then
    skip "the stack is right at every instruction of every switch" "$reason"
    finish
    exit
fi

# Without lazy binding, whose first calls take a way of their own.
output=$(LD_BIND_NOW=1 gdb -nx -batch -x "$WEFT_SOURCE/tests/debug/every_instruction.py" \
    "$WEFT_BUILD/tests/debug/switching" 2>&1 </dev/null | grep -a '^WRONG\|^RESULT\|^SEEN\|^Error\|^Python')
check "the stack is right at every instruction of every switch" \
    sh -c 'echo "$1"; echo "$1" | grep -q "^RESULT 60 switches, [1-9][0-9]* right, 0 wrong$"' sh "$output"
check "the stacks of the loop and of both tasks were looked at" \
    sh -c 'echo "$1"; echo "$1" | grep -qx "SEEN main alpha beta"' sh "$output"

finish
