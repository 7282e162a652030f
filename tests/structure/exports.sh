#!/bin/sh
# libweft.so exports exactly what the public headers declare, and clashes with nobody.

. "$WEFT_SOURCE/tests/tap.sh"

NM=${NM:-nm}
library=$WEFT_BUILD/.libs/libweft.so
archive=$WEFT_BUILD/.libs/libweft-internal.a

# exported FILE OPTION...: the names that are defined for others; A is a version's name.
exported() {
    tap_file=$1
    shift
    $NM --defined-only "$@" "$tap_file" | awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' |
        sort -u
}

# not_public: those lines of stdin that are no public name.
not_public() { grep -v '^weft_[a-z]'; }

declared() { awk -f "$WEFT_SOURCE/tests/structure/declared.awk" "$@" | cut -f 2 | sort -u; }

exported "$library" -D >"$TMPDIR/exported"
declared "$WEFT_SOURCE"/include/weft/*.h >"$TMPDIR/declared"

check "libweft.so exports something" test -s "$TMPDIR/exported"
expect_empty "what is exported is called weft_*" "$(not_public <"$TMPDIR/exported")"
expect_empty "what is exported is declared" "$(comm -23 "$TMPDIR/exported" "$TMPDIR/declared")"
expect_empty "what is declared is exported" "$(comm -13 "$TMPDIR/exported" "$TMPDIR/declared")"
expect_empty "what our files share is called weft_* or weft__*" \
    "$(exported "$archive" -g | grep -v '^weft_')"

# The version script at work: three names, of which one may get out.
cat >"$TMPDIR/planted.c" <<'END'
int weft_planted(void);
int weft__planted(void);
int planted(void);
int weft_planted(void) { return 0; }
int weft__planted(void) { return 0; }
int planted(void) { return 0; }
END
$CC -shared -fPIC -o "$TMPDIR/planted.so" "$TMPDIR/planted.c"
expect_found "finds a name that is not ours" \
    "$(exported "$TMPDIR/planted.so" -D | not_public | grep -x planted)"
expect_found "finds a name that is shared between our files only" \
    "$(exported "$TMPDIR/planted.so" -D | not_public | grep -x weft__planted)"
$CC -shared -fPIC -o "$TMPDIR/scripted.so" "$TMPDIR/planted.c" \
    -Wl,--version-script="$WEFT_SOURCE/libweft.map"
check "the version script lets only weft_* out" \
    test "$(exported "$TMPDIR/scripted.so" -D)" = weft_planted

# ---- What is linked ----

needed() { ${READELF:-readelf} -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }

expect_empty "the library needs nothing but libc" "$(needed "$library" | grep -v '^libc\.so\|^ld-')"
check "its name carries its version" test "$(${READELF:-readelf} -d "$library" |
    sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')" = libweft.so.0

# Our programs are linked with jemalloc if and only if configure said so.
example=$WEFT_BUILD/examples/hello
if [ ! -x "$example" ]; then
    skip "programs have the allocator that was asked for" "examples are not built"
elif [ -n "$WEFT_JEMALLOC" ]; then
    check "programs have the allocator that was asked for" \
        test -n "$(needed "$example" | grep jemalloc)"
else
    expect_empty "programs have the allocator that was asked for" \
        "$(needed "$example" | grep jemalloc)"
fi

finish
