#!/bin/sh
# The weft program as its users run it: what it prints, what it ends with, and that nothing of it
# stays behind, however it ends.

. "$WEFT_SOURCE/tests/tap.sh"
weft=$WEFT_BUILD/tools/weft
cd "$TMPDIR" || exit 1

# What a run leaves behind has this in its environment, whatever its parent now is.
mark=WEFT_TOOLS_TEST=$TMPDIR

# run NAME ARGUMENT...: leaves NAME.out, NAME.err and NAME.status.
run() {
    run_name=$1
    shift
    run_status=0
    timeout -k 5 60 env "$mark" "$weft" "$@" >"$run_name.out" 2>"$run_name.err" || run_status=$?
    echo "$run_status" >"$run_name.status"
}

# gives NAME STATUS OUT ERR: has the run ended so, and printed just that?
gives() {
    echo "$2" | diff - "$1.status" && printf '%s' "${3:+$3
}" | diff - "$1.out" && printf '%s' "${4:+$4
}" | diff - "$1.err"
}

# ---- The command line ----

# refuses NAME SENTENCE ARGUMENT...
refuses() {
    name=$1 sentence=$2
    shift 2
    run refused "$@"
    check "$name is refused" gives refused 2 "" "$sentence"
}

refuses "an unknown command" 'weft: there is no command "dmeo"; see weft help' dmeo
refuses "an unknown option of weft itself" 'weft: there is no option "-V"; see weft help' -V
refuses "help for an unknown command" 'weft: there is no command "dmeo"; see weft help' help dmeo
refuses "an unknown option" \
    'weft demo: there is no option --proceses; see weft demo --help' \
    demo --proceses 2
refuses "an unknown letter" 'weft demo: there is no option -p; see weft demo --help' demo -p 2
refuses "an argument that is no option" \
    'weft demo: "now" is not an option; see weft demo --help' demo now
refuses "an option without its value" \
    'weft demo: --seconds needs a value; see weft demo --help' demo --seconds
refuses "a flag with a value" 'weft demo: --json takes no value' demo --json=yes
refuses "a phase of no length" \
    'weft demo: --seconds takes seconds from 0.1 to 3600, not "0"' demo --seconds 0
refuses "a number with a unit" \
    'weft demo: --seconds takes seconds from 0.1 to 3600, not "2s"' demo --seconds 2s
for option in 'processes 256' 'loops 64' 'threads 1024' 'connections 10000'; do
    name=--${option% *} most=${option#* }
    refuses "0 for $name" \
        "weft demo: $name takes a whole number from 1 to $most, not \"0\"" demo "$name" 0
done
refuses "the server without its demo" \
    'weft demo-server: this is a part of weft demo: use that' demo-server

run version --version
check "--version names the version" grep -qxE 'weft [0-9]+\.[0-9]+\.[0-9]+' version.out
check "--version is all it says" test "$(cat version.status version.err)" = 0
run alone
check "without a command its help goes to stderr" \
    sh -c '[ "$(cat alone.status alone.out)" = 2 ] && grep -q "^  demo  " alone.err'
run help --help
check "--help goes to stdout" cmp alone.err help.out
check "--help is all it says" test "$(cat help.status help.err)" = 0
run demo_help demo --help
run help_demo help demo
check "weft help demo is weft demo --help" cmp demo_help.out help_demo.out
for option in seconds processes loops threads connections json svg help; do
    check "its help explains --$option" grep -qE "^  --$option .*[a-z]{4}" demo_help.out
done

# ---- A run ----

number='(0|[1-9][0-9]*)(\.[0-9]+)?'

# A line for each phase, with just these keys, in this order.
write_expected() {
    for phase in sleep:blocking sleep:executor sleep:async hash:blocking hash:executor \
        fsync:blocking fsync:executor; do
        echo "{\"work\":\"${phase%:*}\",\"mode\":\"${phase#*:}\",\"requests_per_s\":N,"\
"\"p50_ms\":N,\"p99_ms\":N,\"max_loop_lag_ms\":N,\"requests\":N,\"failed\":0}"
    done
}
write_expected >expected

# Loads that are there by chance do not matter: no comparison between phases here.
figures_off() {
    tr '{},":' '     ' <"$1" | awk '
        { for (i = 1; i < NF; i++) value[$i] = $(i + 1) }
        value["requests"] < 1 || value["requests_per_s"] <= 0 { print "no requests: " $0 }
        value["p50_ms"] <= 0 || value["p50_ms"] > value["p99_ms"] { print "percentiles: " $0 }
        value["max_loop_lag_ms"] <= 0 { print "no lag: " $0 }'
}

# What weft_serve_parse() would read from the environment is for servers of one's own.
(
    export WEFT_HOST=192.0.2.1 WEFT_PORT=1 WEFT_BIND=unix:/nonexistent/socket \
        WEFT_UDS=/nonexistent/socket WEFT_FD=99 WEFT_LOOPS=9 WEFT_THREADS=1 WEB_CONCURRENCY=7 \
        WEFT_GRACEFUL_TIMEOUT=0
    run json demo --json --seconds 0.2 --processes 2 --loops 2 --threads 8 --connections 16
)
check "a run in which all is answered ends with 0" test "$(cat json.status)" = 0
sed -E "s/(\"(requests_per_s|p50_ms|p99_ms|max_loop_lag_ms|requests)\"):$number/\\1:N/g" json.out \
    >json.masked
check "--json is an object a line for each phase" diff expected json.masked
expect_empty "the figures of a phase agree" "$(figures_off json.out)"
check "it says on stderr what it runs, as asked and not as WEFT_... says" grep -qx \
    'weft demo: a server of 2 processes with 2 loops and up to 8 pool threads each, 16 clients, 7 phases of 200 ms' \
    json.err
expect_empty "nobody but the demo talks" "$(grep -v '^weft demo: ' json.err)"
check "a log gets a line for each phase" test "$(grep -c '^weft demo: [1-7]/7 ' json.err)" = 7
check "a log gets no colours" sh -c '! grep -q "$(printf "\\033")" json.out json.err'
check "the last line says where the picture is" \
    test "$(tail -n 1 json.err)" = "weft demo: the picture: weft-demo.svg"
check "the picture is whole" test "$(tail -n 1 weft-demo.svg)" = "</svg>"
check "the picture has a row for each loop in each phase" \
    test "$(grep -c '<title>process [01], loop [01]: held ' weft-demo.svg)" = 28
expect_empty "each loop has clients, who hold it in the first phase" \
    "$(grep '<title>process' weft-demo.svg | head -n 4 | grep 'held 0 %')"

# ---- Where it cannot write ----

run nowhere demo --svg none/such.svg
check "a folder for the picture that is not there is told before the run" gives nowhere 1 "" \
    "weft demo: the picture none/such.svg cannot be written: No such file or directory"

# A folder that was removed takes no file, not even from root.
mkdir elsewhere gone
(
    cd gone && rmdir ../gone || exit 1
    plain=$TMPDIR/plain TMPDIR=$TMPDIR/elsewhere COLUMNS=60
    export TMPDIR COLUMNS
    run "$plain" demo --seconds 0.1 --connections 4
) &
full=0
env "$mark" "$weft" demo --json --seconds 0.1 --connections 4 --svg full.svg \
    >/dev/full 2>full.err || full=$?
wait
check "results that cannot be written end it with 1" test "$full" = 1
check "results that cannot be written are told" \
    test "$(tail -n 1 full.err)" = "weft demo: the results could not be written"
check "a current folder that cannot be written to is no failure" test "$(cat plain.status)" = 0
picture=$(echo elsewhere/weft-demo-*.svg)
check "the picture goes to the folder for temporary files" \
    test "$(tail -n 1 "$picture")" = "</svg>"
check "the last line says where, and why" test "$(tail -n 1 plain.out)" = \
    " the picture: $TMPDIR/$picture (the current folder cannot be written to)"
check "the table has a line for each phase" \
    test "$(grep -cE '^ .{5}  (blocking|executor|async) +[0-9]' plain.out)" = 7
check "there is a row for each loop" \
    test "$(grep -cE '^ process [01] loop [01] ' plain.out)" = 4

# ---- Whatever it ends by, nothing stays behind ----

# Processes of runs: PID PARENT ARGUMENTS a line.
running() {
    grep -lzsxF "$mark" /proc/[0-9]*/environ |
        while IFS=/ read -r _ _ pid _; do
            parent=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status" 2>/dev/null) &&
                arguments=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") &&
                [ -n "$arguments" ] && echo "$pid $parent $arguments"
        done
}

# await COMMAND...: until it succeeds; not for ever.
await() {
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

nothing_runs() { [ -z "$(running)" ]; }
phase_is_over() { grep -qs "^weft demo: $1/7 " ended.err; }

# begin: a run in the background that is in its second phase; its pid in $load.
begin() {
    rm -f ended.err # or the last run's would be taken for it
    # Shells let background jobs ignore SIGINT; a user's terminal does not.
    env --default-signal=INT,QUIT "$mark" "$weft" demo --seconds 0.2 --svg ended.svg \
        >ended.out 2>ended.err &
    load=$!
    await phase_is_over 1
}

# ends_by NAME STATUS: the run that was begun, and its server.
ends_by() {
    status=0
    wait "$load" || status=$?
    check "$1 ends it" test "$status" = "$2"
    await nothing_runs
    expect_empty "$1 leaves no process behind" "$(running)"
    expect_empty "$1 leaves no picture of half a run" "$(ls ended.svg 2>/dev/null)"
}

expect_empty "a run that is complete leaves no process behind" "$(running)"

begin
check "the test finds a run's four processes" test "$(running | wc -l)" = 4
kill -INT "$load"
ends_by "a SIGINT" 130
expect_empty "a SIGINT needs no words" "$(grep -v '^weft demo: [1-7a]' ended.err)"

begin
kill -INT "$load"
kill -INT "$load" 2>/dev/null
ends_by "a second SIGINT" 130

begin
kill -TERM "$load"
ends_by "a SIGTERM" 130

begin
kill -KILL "$load"
ends_by "a SIGKILL" 137

# The supervisor is the child of the load, and a worker the supervisor's.
begin
supervisor=$(running | awk -v load="$load" '$2 == load { print $1 }')
worker=$(running | awk -v supervisor="$supervisor" '$2 == supervisor { print $1; exit }')
kill -KILL "$worker"
ends_by "the death of a worker" 1
check "the death of a worker is told" \
    test "$(tail -n 1 ended.err)" = "weft demo: a process of the demo's server has ended early"

begin
supervisor=$(running | awk -v load="$load" '$2 == load { print $1 }')
kill -KILL "$supervisor"
ends_by "the death of the supervisor" 1
check "the death of the supervisor is told" \
    test "$(tail -n 1 ended.err)" = "weft demo: the demo's server has ended early: signal 9 (Killed)"

finish
