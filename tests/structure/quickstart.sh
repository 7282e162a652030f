#!/bin/sh
# What quickstart cannot do it says in one sentence, on stderr, with a status that is not zero.
#
# It runs in a copy of its own, with a PATH that holds little more than a shell.

. "$WEFT_SOURCE/tests/tap.sh"

bin=$TMPDIR/bin
mkdir "$bin" "$TMPDIR/copy"
cp "$WEFT_SOURCE/quickstart" "$TMPDIR/copy"
for tool in bash cat dirname grep mkdir sed; do
    ln -s "$(command -v $tool)" "$bin/$tool"
done

# fake NAME TEXT: a command of that name.
fake() {
    printf '#!/bin/sh\n%s\n' "$2" | sed "1s|/bin/sh|$bin/bash|" >"$bin/$1"
    chmod +x "$bin/$1"
}

# says NAME PATTERN COMMAND: one line on stderr that matches, and a failure.
says() {
    status=0
    env -i PATH="$bin" HOME="$TMPDIR" "$bin/bash" "$TMPDIR/copy/quickstart" $3 \
        >"$TMPDIR/out" 2>"$TMPDIR/err" </dev/null || status=$?
    if [ $status != 0 ] && [ "$(wc -l <"$TMPDIR/err")" = 1 ] && grep -q "$2" "$TMPDIR/err"; then
        pass "$1"
    else
        fail "$1" "status $status: $(cat "$TMPDIR/out" "$TMPDIR/err")"
    fi
}

says "an unknown command" "no command frobnicate" frobnicate
says "an unknown option" "no option --everything" "check --everything"

fake id 'echo 0'
says "no apt-get" "no apt-get to install.*: gcc make" build

fake apt-get 'echo "E: no network" >&2; exit 100'
says "apt fails" "is there a network" build
check "what will be installed is said first" grep -q "installing by apt: gcc make" "$TMPDIR/out"
check "a build installs no test tools" sh -c '! grep -q criterion "$TMPDIR/out"'
check "apt's own words are kept" grep -q "no network" "$TMPDIR/copy/build/apt.log"

says "apt fails for the tests" "is there a network" check
check "tests install what they use" grep -q criterion "$TMPDIR/out"

fake id 'echo 1000'
says "neither root nor sudo" "neither root nor sudo.*apt-get install gcc make" build

expect_empty "help goes to stdout and is complete" \
    "$(for command in demo build check bench help; do
        env -i PATH="$bin" "$bin/bash" "$TMPDIR/copy/quickstart" help | grep -q "^  $command" || echo "$command"
    done)"

finish
