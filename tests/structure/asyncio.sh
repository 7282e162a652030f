#!/bin/sh
# doc/asyncio.md speaks of what there is: each weft_ and WEFT_ name in it stands in a header.

. "$WEFT_SOURCE/tests/tap.sh"

# unknown FILE: names in the file that no public header has.
unknown() {
    cat "$WEFT_SOURCE"/include/weft/*.h >"$TMPDIR/headers"
    grep -ohE '\b(weft|WEFT)_[A-Za-z0-9_]+' "$1" | sort -u | while read -r name; do
        grep -qw -- "$name" "$TMPDIR/headers" || echo "$name"
    done
}

# broken_links FILE: links to files that are not there.
broken_links() {
    grep -ohE '\]\([^)#:]+\)' "$1" | tr -d '])(' | while read -r link; do
        [ -e "$(dirname "$1")/$link" ] || echo "$link"
    done
}

page=$WEFT_SOURCE/doc/asyncio.md
expect_empty "each name in doc/asyncio.md is in a header" "$(unknown "$page")"
expect_empty "its links lead somewhere" "$(broken_links "$page")"
check "README.md links it" grep -q '](doc/asyncio.md)' "$WEFT_SOURCE/README.md"

printf 'see `weft_no_such_thing()` in [that](nowhere.md)\n' >"$TMPDIR/planted.md"
expect_found "finds a name that is not there" "$(unknown "$TMPDIR/planted.md")"
expect_found "finds a link to nowhere" "$(broken_links "$TMPDIR/planted.md")"

finish
