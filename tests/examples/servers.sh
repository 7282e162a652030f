#!/bin/sh
# The servers among the examples: their flags, clients that are not ours, and their end.

. "$WEFT_SOURCE/tests/tap.sh"
. "$WEFT_SOURCE/tests/examples/play.sh"

cd "$TMPDIR" || exit
ln -s "$WEFT_BUILD"/examples/* .

# answers URL: the status and the body, by curl.
answers() { curl -s -m "$limit" -w '%{http_code} ' -o body "$1" && cat body; }

# hold REQUEST: a client that says something, notes the first line that comes back, and stays.
hold() {
    rm -f first
    bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "%b" "$1" >&3 && read -r line <&3 &&
        echo "$line" >first.new && mv first.new first && cat <&3 >rest' "$port" "$1" &
    client=$!
    for _ in $(seq 600); do
        { [ ! -e first ] && kill -0 "$client" 2>/dev/null; } || break
        sleep 0.05
    done
}

# ends SERVER SIGNAL REQUEST ANSWER: stops with status 0, although a client has stayed.
ends() {
    start "./$1 --host 127.0.0.1 --port 0 --processes 2 --loops 2"
    [ -n "$port" ] || { cat server.log; return 1; }
    hold "$3"
    stop "$2" "$server" >ended
    wait "$client"
    grep -q "$4" first || { echo "the client was told: $(cat first 2>&1)"; return 1; }
    [ ! -s ended ] || { cat ended server.log; return 1; }
}

if command -v bash >/dev/null; then
    for signal in INT TERM; do
        check "echo_server ends by SIG$signal" ends echo_server $signal 'hello\n' '^hello$'
        for name in http_server workers; do
            check "$name ends by SIG$signal" ends $name $signal \
                'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' '^HTTP/1.1 200 OK'
        done
    done
else
    skip "the servers end while a client stays" "bash is not installed"
fi

# ---- Flags ----

start "./echo_server --greet --port 0 --processes 1"
check "echo_server --greet names the peer" sh -c \
    "./echo_client 127.0.0.1:$port 'hello there' | grep -qE '^127\.0\.0\.1:[0-9]+ Your msg hello there$'"
stop TERM "$server"

# The port that was picked is free again: this time it is asked for.
start "./http_server --port $port --created --processes 2"
check "a port that is asked for is used" grep -qx "listening on 127.0.0.1:$port" server.log
if command -v curl >/dev/null; then
    check "http_server --created answers 201" sh -c \
        "[ '$(answers "http://127.0.0.1:$port/")' = '201 hello from /' ]"
    check "http_server takes a path apart" sh -c \
        "[ '$(answers "http://127.0.0.1:$port/a%20b?name=an%26na&x=1")' = \
            '200 item a b, name an&na, query \"name=an%26na&x=1\"' ]"
    check "http_server has no such page" sh -c \
        "answers=\$(curl -s -o body -w '%{http_code}' http://127.0.0.1:$port/no/page); [ \$answers = 404 ]"
else
    skip "http_server answers curl" "curl is not installed"
fi
check "a port that is taken is refused" sh -c \
    "! ./echo_server --port $port --processes 1 2>refused && grep -q 'in use already' refused"
stop TERM "$server"

for name in echo_server http_server workers; do
    check "$name refuses a flag that it does not know" sh -c \
        "./$name --frobnicate 2>refused; [ \$? = 2 ] && grep -q frobnicate refused"
done
expect_empty "nothing is left running" "$(left_running)"

finish
