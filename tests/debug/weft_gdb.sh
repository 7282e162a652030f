#!/bin/sh
# tools/weft-gdb.py lists tasks and shows the stack of each: live, in the core file that it writes,
# with the library inside the program, and with symbols alone.

. "$WEFT_SOURCE/tests/tap.sh"
. "$WEFT_SOURCE/tests/debug/gdb.sh"

reason=$(why_no_gdb)
if [ -n "$reason" ]; then
    skip "gdb shows tasks and their stacks" "$reason"
    finish
    exit
fi
programs=$WEFT_BUILD/tests/debug
sanitizer=$(nm "$programs/parked" | grep '__[at]san_init')

# ask PROGRAM [CORE] [-- GDB-COMMAND...]: what gdb says, its prompts and threads left out.
ask() {
    program=$1
    core=
    [ $# -gt 1 ] && [ "$2" != -- ] && core=$2 && shift
    shift 2
    for command; do
        set -- "$@" -ex "$command"
        shift
    done
    timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set startup-with-shell off' \
        -ex "source $WEFT_SOURCE/tools/weft-gdb.py" "$@" "$program" $core 2>&1 </dev/null
}

# shows TEXT PATTERN...: is there a line for each pattern, in this order?
shows() {
    echo "$1" >"$TMPDIR/said"
    shift
    from=1
    for pattern; do
        line=$(tail -n "+$from" "$TMPDIR/said" | grep -n -m 1 -e "$pattern" | cut -d: -f1)
        if [ -z "$line" ]; then
            echo "\"$pattern\" is missing, or too early, in:"
            cat "$TMPDIR/said"
            return 1
        fi
        from=$((from + line))
    done
}

check_list() {
    check "$1 lists loops, tasks, who waits for whom, and who spawned them" shows "$2" \
        'loop .*address .*task .*state .*waits for .*awaited by .*spawned at' \
        '^1  *loop-0  *0x[0-9a-f]*  *app  *running  .*main' \
        '^2  *loop-0  *0x[0-9a-f]*  *sleeper  *waiting  *sleep  *app' \
        '^3  *loop-0  *0x[0-9a-f]*  *joiner  *waiting  *join (6)  *5  *app' \
        '^4  *loop-0  *0x[0-9a-f]*  *grouper  *waiting  *group (7)  *app' \
        '^5  *loop-0  *0x[0-9a-f]*  *observer  *waiting  *future (3)  *app' \
        '^6  *loop-0  *0x[0-9a-f]*  *joined  *waiting  *sleep  *3  *joiner' \
        '^7  *loop-0  *0x[0-9a-f]*  *member  *waiting  *sleep  *4  *grouper' \
        '^8  *loop-0  *0x[0-9a-f]*  *newcomer  *ready  *app'
}

check_tree() {
    check "$1 shows who waits for whom as a tree" shows "$2" \
        '^TREE$' '^1  app: running$' '^2  sleeper: sleep$' '^4  grouper: group$' \
        '^  7  member: sleep$' '^5  observer: future$' '^  3  joiner: join$' \
        '^    6  joined: sleep$' '^8  newcomer: ready$' \
        '^OF ONE$' '^3  joiner: join$' '^  6  joined: sleep$'
}

check_stacks() {
    check "$1 shows the stack of each task" shows "$2" \
        '^1  app$' '^#0 .*everything_is_parked' '^#[1-9] .*app ' \
        '^2  sleeper$' '^#[1-9].*innermost' '^#[1-9].*middle' '^#[1-9].*sleeper' \
        '^#[0-9]* .*weft.*stack_' \
        '^3  joiner$' '^#[0-9].*weft_task_join' '^#[1-9].*joiner' '^#[0-9]* .*weft.*stack_' \
        '^6  joined$' '^#[1-9].*innermost' '^#[1-9].*sleeper' \
        '^8  newcomer$' '^(has not begun)$'
}

said=$(ask "$programs/parked" -- 'weft tasks')
check "without a running program it says so" shows "$said" 'weft: no libweft in this program yet'

write_core="weft gcore $TMPDIR/core"
[ -z "$sanitizer" ] || write_core='echo \n'
said=$(ask "$programs/parked" -- 'break everything_is_parked' run 'weft tasks' 'weft bt all' \
    'echo TREE\n' 'weft tree' 'echo OF ONE\n' 'weft tree joiner' "$write_core" 'echo BY NAME\n' 'weft bt joined' 'weft bt 2 -frame-arguments none' \
    'weft bt nobody' 'bt 1' kill)
check_list "a live program" "$said"
check_stacks "a live program" "$said"
check_tree "a live program" "$said"
check "a task is found by its name" shows "$(echo "$said" | sed -n '/^BY NAME/,$p')" \
    '^#[1-9].*sleeper' '^#[1-9].*sleeper (arg=...)' 'weft: there is no task nobody'
check "the thread's own stack is as it was afterwards" \
    shows "$(echo "$said" | sed -n '/no task nobody/,$p')" '^#0 .*everything_is_parked'

if [ -n "$sanitizer" ]; then
    skip "a core file shows tasks and their stacks" "a sanitizer's shadow memory is terabytes"
else
    said=$(ask "$programs/parked" "$TMPDIR/core" -- 'weft tasks' 'weft bt all' \
        'echo TREE\n' 'weft tree' 'echo OF ONE\n' 'weft tree joiner')
    check_list "a core file" "$said"
    check_stacks "a core file" "$said"
    check_tree "a core file" "$said"
fi

said=$(ask "$programs/parked" -- 'break everything_is_parked' 'run on-thread-stack' 'weft bt app')
check "a task that made a call on the thread's stack is shown where it left its own" \
    shows "$said" '^#[0-9].*weft_call_on_thread_stack' '^#[0-9].*app ' '^#[0-9]* .*weft.*stack_'

said=$(ask "$programs/parked-static" -- 'break everything_is_parked' run 'weft tasks' 'weft bt all')
check_list "a program with the library inside" "$said"
check_stacks "a program with the library inside" "$said"

if command -v objcopy >/dev/null; then
    objcopy --strip-debug "$programs/parked-static" "$TMPDIR/no-debug"
    said=$(ask "$TMPDIR/no-debug" -- 'break everything_is_parked' run 'weft tasks' 'weft bt all')
    check_list "a program with symbols alone" "$said"
    check_stacks "a program with symbols alone" "$said"
fi

finish
