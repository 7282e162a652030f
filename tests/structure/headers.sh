#!/bin/sh
# Each header compiles alone: the public ones as C and C++ of several years, without our flags;
# the private ones as our sources see them.

. "$WEFT_SOURCE/tests/tap.sh"

warnings="-Wall -Wextra -Wshadow -Wundef -Wpointer-arith -Wwrite-strings -Wcast-qual -Werror"

# compile COMPILER LANGUAGE FLAGS TREE HEADER...: what the compiler says. Twice: it guards itself.
compile() {
    compiler=$1 language=$2 flags=$3 tree=$4
    shift 4
    for header; do
        printf '#include %s\n#include %s\nint weft_alone;\n' "$header" "$header" |
            $compiler -x "$language" $warnings $flags -fsyntax-only -I "$tree" -I "$tree/include" - 2>&1 |
            sed "s|^|$header: |"
    done
}

# A compiler may be several words, such as "ccache gcc".
is_there() { command -v "$1" >/dev/null; }

previous=
public=$(cd "$WEFT_SOURCE/include" && printf '<%s> ' weft/*.h)
private=$(cd "$WEFT_SOURCE" && find base loop task ipc executor net http serve debug tests -name '*.h' \
    ! -path tests/test.h | sort | sed 's/.*/"&"/')

for compiler in "$CC" clang; do
    [ "$compiler" != "$previous" ] || continue
    previous=$compiler
    if ! is_there $compiler; then
        skip "headers by $compiler" "$compiler is not installed"
        continue
    fi
    for standard in c11 c17 gnu17; do
        expect_empty "public headers compile alone as $standard by $compiler" \
            "$(compile "$compiler" c "-std=$standard -pedantic" "$WEFT_SOURCE" $public)"
    done
    expect_empty "private headers compile alone by $compiler" \
        "$(compile "$compiler" c "-std=gnu17 -D_GNU_SOURCE" "$WEFT_SOURCE" $private)"
done

for compiler in "${CXX:-c++}" clang++; do
    [ "$compiler" != "$previous" ] || continue
    previous=$compiler
    if ! is_there $compiler; then
        skip "headers as C++ by $compiler" "$compiler is not installed"
        continue
    fi
    for standard in c++11 c++17 c++20; do
        expect_empty "public headers compile alone as $standard by $compiler" \
            "$(compile "$compiler" c++ "-std=$standard -pedantic" "$WEFT_SOURCE" $public)"
    done
done

mkdir -p "$TMPDIR/include/weft"
echo 'size_t weft_planted(void);' >"$TMPDIR/include/weft/planted.h"
expect_found "finds a header that lacks an include" \
    "$(compile "$CC" c -std=c11 "$TMPDIR" '<weft/planted.h>')"
echo 'struct weft_planted { int n; };' >"$TMPDIR/include/weft/planted.h"
expect_found "finds a header that cannot be included twice" \
    "$(compile "$CC" c -std=c11 "$TMPDIR" '<weft/planted.h>')"

finish
