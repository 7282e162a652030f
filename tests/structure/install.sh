#!/bin/sh
# What `make install` leaves is enough for a user: headers, library, and weft.pc.

. "$WEFT_SOURCE/tests/tap.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
root=$TMPDIR/root
check "make install works into another root" \
    make -C "$WEFT_BUILD" install DESTDIR="$root"
pc=$(find "$root" -name weft.pc)
library=$(find "$root" -name libweft.so)

check "the headers are there" \
    diff -r -x Makefile.inc "$WEFT_SOURCE/include/weft" "$(find "$root" -type d -path '*/include/weft')"
check "libweft.so is a link to the library of its version" test -L "$library"

check "the commands for gdb are there" test -f "$(find "$root" -name weft-gdb.py)"

cat >"$TMPDIR/user.c" <<'END'
#include <weft/base.h>

int main(void)
{
	return weft_version()[0] == 0;
}
END

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH="${pc%/weft.pc}" PKG_CONFIG_SYSROOT_DIR="$root"
    check "a program builds by weft.pc" \
        sh -c '$CC -o "$TMPDIR/user" "$TMPDIR/user.c" $(pkg-config --cflags --libs weft)'
    check "and runs" env LD_LIBRARY_PATH="${library%/*}" "$TMPDIR/user"
    check "weft.pc protects its stacks" \
        sh -c 'pkg-config --cflags weft | grep -q -- -fstack-clash-protection'
    check "the private libraries stay private" \
        sh -c 'test -z "$(pkg-config --libs weft | tr " " "\n" | grep -v "^-L\|^-lweft$\|^$")"'
    unset PKG_CONFIG_SYSROOT_DIR
    export PKG_CONFIG_PATH="$WEFT_BUILD"
    check "a program builds and runs by weft-uninstalled.pc" \
        sh -c '$CC -o "$TMPDIR/user" "$TMPDIR/user.c" $(pkg-config --cflags --libs weft) && "$TMPDIR/user"'
else
    skip "a program builds by weft.pc" "pkg-config is not installed"
fi

finish
