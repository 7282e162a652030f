#!/bin/sh
# An example is a page: it compiles for its reader as it stands, fits on a screen, and has its
# place in the list.

. "$WEFT_SOURCE/tests/tap.sh"
examples=$WEFT_SOURCE/examples

# As a user compiles it: the usual warnings, none of our own flags.
for compiler in gcc clang; do
    if command -v $compiler >/dev/null; then
        check "each compiles without a warning by $compiler" $compiler -Wall -Wextra -Werror \
            -fsyntax-only -I "$WEFT_SOURCE/include" "$examples"/*.c
    else
        skip "each compiles without a warning by $compiler" "$compiler is not installed"
    fi
done

# too_wide FILE...: a tab counts as eight columns.
too_wide() {
    for file; do
        expand "$file" | awk -v file="${file##*/}" \
            'length() > 90 { print file ":" FNR ": " length() " columns" }'
    done
}

# off_list FOLDER: examples without a line in its README.md, and lines without an example.
off_list() {
    (cd "$1" && ls ./*.c | sed 's|^./||' | sort) >"$TMPDIR/there"
    grep -oE '^\| *\[[a-z_]+\]\([a-z_]+\.c\)' "$1/README.md" | sed 's/.*(\(.*\))/\1/' | sort \
        >"$TMPDIR/listed"
    comm -3 "$TMPDIR/there" "$TMPDIR/listed"
}

expect_empty "none is wider than a window" "$(too_wide "$examples"/*.c)"
expect_empty "README.md lists each of them" "$(off_list "$examples")"

mkdir "$TMPDIR/planted"
printf '\t\t\t\t%090d\n' 0 >"$TMPDIR/planted/wide.c"
printf '| [gone](gone.c) | nothing |\n' >"$TMPDIR/planted/README.md"
expect_found "finds a line that is too wide" "$(too_wide "$TMPDIR/planted/wide.c")"
expect_found "finds one that is not listed" "$(off_list "$TMPDIR/planted" | grep wide.c)"
expect_found "finds one that is not there" "$(off_list "$TMPDIR/planted" | grep gone.c)"

finish
