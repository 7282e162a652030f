#!/bin/sh
# What README.md shows works: its first program, compiled by the line that it gives.
#
# The program is the first ```c block that has a main(); the line is the first that begins with
# "cc" or "$ cc" and asks pkg-config for weft; the program is called as that line calls it.

. "$WEFT_SOURCE/tests/tap.sh"

# program README: the first block of C with a main().
program() {
    awk '
        /^```c$/ { inside = 1; block = ""; next }
        /^```/ { if (inside && block ~ /main\(/) { printf "%s", block; exit } inside = 0 }
        inside { block = block $0 "\n" }' "$1"
}

# command README: the line that compiles it, wherever it stands, without what decorates it.
command_line() {
    grep -oE '(^|[ $*/`])cc [^`*]*pkg-config [^`*]*weft\)[^`*]*' "$1" | head -n 1 | sed 's/^[^c]*//'
}

# try README: compiles and runs it in a folder of its own, against this build.
try() {
    file=$(command_line "$1" | grep -oE '[a-z_]+\.c' | head -n 1)
    [ -n "$file" ] || { echo "there is no line \"cc NAME.c ... \$(pkg-config --cflags --libs weft)\""; return 1; }
    mkdir -p "$TMPDIR/try" && cd "$TMPDIR/try" || return 1
    program "$1" >"$file"
    output=$(command_line "$1" | sed -n 's/.* -o *\([a-z_]*\).*/\1/p')
    PKG_CONFIG_PATH=$WEFT_BUILD sh -c "$(command_line "$1" | sed "s|^cc|$CC|")" &&
        timeout 20 "./${output:-a.out}"
}

readme=$WEFT_SOURCE/README.md
if [ ! -f "$readme" ]; then
    skip "the first program of README.md compiles and runs" "there is no README.md"
elif ! command -v pkg-config >/dev/null; then
    skip "the first program of README.md compiles and runs" "pkg-config is not installed"
else
    check "the first program of README.md compiles and runs" try "$readme"
    check "the two commands stand near its top" sh -c \
        "head -n 40 '$readme' | grep -q '^\(\$ \)\{0,1\}\./quickstart *\(#.*\)\{0,1\}$' &&
         head -n 40 '$readme' | grep -q '\./quickstart check'"
fi

cat >"$TMPDIR/README.md" <<'END'
```c
int not_this(void);
```
```c
/* cc planted.c -o planted $(pkg-config --cflags --libs weft) */
#include <weft/base.h>

int main(void) { return weft_version() ? STATUS : 1; }
```
END
if command -v pkg-config >/dev/null; then
    sed 's/STATUS/0/' "$TMPDIR/README.md" >"$TMPDIR/right.md"
    sed 's/STATUS/3/' "$TMPDIR/README.md" >"$TMPDIR/wrong.md"
    check "accepts a program that works" try "$TMPDIR/right.md"
    check "finds a program that fails" sh -c '[ "$1" = 3 ]' sh "$(
        (try "$TMPDIR/wrong.md") >/dev/null 2>&1
        echo $?
    )"
fi

finish
