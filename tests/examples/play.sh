# Plays the transcript at the end of an example: sourced by the scripts beside it.
#
# A transcript is what stands, behind a tab, in the last comment of examples/NAME.c: lines that
# begin with "$ " are commands, the others what they print, stdout and stderr together. They are
# run and compared as a whole, so the comment cannot become wrong. What differs from run to run
# (ports, thread ids, times) is masked on both sides.
#
#   $ ./hello                      has to end with status 0 ...
#   $ echo $?                      ... unless the transcript asks
#   $ ./echo_server --port 8888 &  a server: gets port 0, and 127.0.0.1:8888 in later commands
#                                  becomes the one it says it listens on
#   $ kill %1                      (or kill -INT %1) stops it; its status has to be 0
#
# Every server is stopped at the end, by SIGTERM.

# Each command ends by then, or is ended.
limit=60

# transcript FILE
transcript() {
    awk '
        /^\/\*/ { text = "" }
        /^ \*\t/ { text = text substr($0, 4) "\n" }
        END { printf "%s", text }' "$1"
}

# masked NAME PORTS: stdin, without what differs. PORTS is a sed script that turns the servers'
# ports into those of the transcript; what is left of five digits is a client's.
masked() {
    sed -E -e "$2" -e 's/\b(127\.0\.0\.1):[0-9]{5}\b/\1:PORT/g' -e 's/\b0x[0-9a-f]+/0xID/g' \
        -e 's/\b[0-9]+\.[0-9]+ s\b/TIME s/g' -e 's/\b(pid|process) [0-9]+/\1 PID/g' \
        -e 's/(date: ).*/\1DATE/I' |
        case $1 in
            # Threads and processes take turns as they like; each of the two keeps its own order.
            interleave) awk '/^(threads|processes):/ {
                    line = $0; gsub(/ [0-9]/, "", line); sub(/^[a-z]*: */, "", line)
                    gsub(/ [a-z]/, ""); $0 = $0 " " line
                }
                { gsub(/ +/, " "); print }' ;;
            # What several hosts say: in order for each of them.
            wget) sort -s -t ' ' -k 1,1 ;;
            *) cat ;;
        esac
}

# start COMMAND: a server in the background; its pid in $server, its port in $port.
start() {
    : >server.log
    # Shells let background jobs ignore SIGINT; a user's terminal does not.
    eval "exec env --default-signal=INT,QUIT $1" >>server.log 2>&1 &
    server=$! port=
    for _ in $(seq 600); do
        port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' server.log | head -n 1)
        { [ -z "$port" ] && kill -0 "$server" 2>/dev/null; } || break
        sleep 0.05
    done
}

# stop SIGNAL PID: says so if it does not end, or not with status 0.
stop() {
    kill -s "$1" "$2"
    (timeout "$limit" tail --pid="$2" -s 0.1 -f /dev/null || kill -KILL "$2") &
    stop_guard=$! stop_status=0
    wait "$2" || stop_status=$?
    wait "$stop_guard"
    [ "$stop_status" = 0 ] || echo "[stopped by SIG$1: status $stop_status]"
}

# play NAME: leaves in the folder NAME what should be printed (expected) and what was (said).
play() {
    mkdir "$TMPDIR/$1" && cd "$TMPDIR/$1" || return 1
    ln -s "$WEFT_BUILD"/examples/* .
    transcript "$WEFT_SOURCE/examples/$1.c" >transcript
    servers='' to_real='' to_shown='' status=0
    exec 3<transcript
    while IFS= read -r line <&3; do
        case $line in '$ '*) ;; *) continue ;; esac
        command=$(echo "${line#'$ '}" | sed -E "$to_real")
        [ "$status" = 0 ] || [ "$command" = 'echo $?' ] || echo "[status $status]"
        echo "$line"
        case $command in
            *' &')
                shown=$(echo "$command" | sed -n 's/.*--port \([0-9]*\).*/\1/p')
                start "$(echo "${command% &}" | sed 's/--port [0-9]*/--port 0/')" 3<&-
                cat server.log
                servers="$servers $server" status=0
                to_real="$to_real;s/:$shown\\b/:$port/g"
                to_shown="$to_shown;s/:$port\\b/:$shown/g"
                ;;
            kill*)
                signal=$(echo "$command" | sed -n 's/.*-\([A-Z]*\) .*/\1/p')
                stop "${signal:-TERM}" ${servers##* }
                servers=${servers% *}
                ;;
            'echo $?') echo "$status"; status=0 ;;
            *) status=0; timeout -k 5 "$limit" sh -c "$command" 3<&- || status=$? ;;
        esac
    done >said.raw 2>&1
    {
        [ "$status" = 0 ] || echo "[status $status]"
        for server in $servers; do stop TERM "$server"; done
    } >>said.raw 2>&1
    masked "$1" "$to_shown" <said.raw >said
    masked "$1" '' <transcript >expected
}

# What a server leaves behind has this in its environment, whatever its parent now is.
WEFT_EXAMPLES_TEST=$TMPDIR
export WEFT_EXAMPLES_TEST

left_running() {
    env -u WEFT_EXAMPLES_TEST grep -lzs "^WEFT_EXAMPLES_TEST=$TMPDIR\$" /proc/[0-9]*/environ |
        while IFS=/ read -r _ _ pid _; do
            tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null && echo
        done
}
