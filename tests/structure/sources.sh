#!/bin/sh
# The sources that the Makefile.inc fragments list are those on disk: a file that nobody builds is
# a mistake, and one that is not listed would be missing in the tarball.

. "$WEFT_SOURCE/tests/tap.sh"

folders="include base loop task ipc executor net http serve debug tools examples tests bench"

# Paths that the fragments name. An example is named as a program: NAME stands for NAME.c.
listed() {
    (cd "$1" && find $folders -name Makefile.inc 2>/dev/null | while read -r fragment; do
        sed 's/#.*//' "$fragment" | grep -oE '%D%/[A-Za-z0-9_./-]+' |
            sed "s|^%D%|${fragment%/Makefile.inc}|"
    done | while read -r path; do
        case $path in
            *.[chS] | *.cc | *.sh | *.awk) echo "$path" ;;
            *) [ ! -f "$path.c" ] || echo "$path.c" ;;
        esac
    done | sort -u)
}

on_disk() {
    (cd "$1" && find $folders \( -name '*.[chS]' -o -name '*.cc' -o -name '*.sh' -o -name '*.awk' \) \
        2>/dev/null | sort)
}

# difference TREE: "-" is listed only, "+" is on disk only.
difference() {
    listed "$1" >"$TMPDIR/listed"
    on_disk "$1" >"$TMPDIR/on_disk"
    comm -23 "$TMPDIR/listed" "$TMPDIR/on_disk" | sed 's/$/: listed, but not there/'
    comm -13 "$TMPDIR/listed" "$TMPDIR/on_disk" | sed 's/$/: there, but not listed/'
}

# Do the listed files of one list stand in order?
unsorted() {
    (cd "$1" && find $folders -name Makefile.inc 2>/dev/null | xargs -r awk '
        !/^\t%D%/ { last = ""; next }
        { if ($1 < last) print FILENAME ":" FNR ": " $1 " stands after " last; last = $1 }')
}

expect_empty "the fragments list what is on disk" "$(difference "$WEFT_SOURCE")"
expect_empty "lists of sources are sorted" "$(unsorted "$WEFT_SOURCE")"

mkdir -p "$TMPDIR/planted/base"
printf 'weft_sources += \\\n\t%%D%%/b.c \\\n\t%%D%%/a.c\n' >"$TMPDIR/planted/base/Makefile.inc"
touch "$TMPDIR/planted/base/b.c" "$TMPDIR/planted/base/c.c"
expect_found "finds a file that is not listed" \
    "$(difference "$TMPDIR/planted" | grep 'base/c.c: there')"
expect_found "finds a listed file that is not there" \
    "$(difference "$TMPDIR/planted" | grep 'base/a.c: listed')"
expect_found "finds a list that is not sorted" "$(unsorted "$TMPDIR/planted")"

finish
