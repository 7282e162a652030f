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

# wait_for FILE TEXT PID: until the text is there, for a minute at most, and as long as PID lives.
wait_for() {
    n=0
    until grep -q "$2" "$1"; do
        n=$((n + 1))
        [ $n -le 600 ] && kill -0 "$3" || { cat "$1"; return 1; }
        sleep 0.1
    done
}

# dumps_at_quit PROGRAM: does the server do that?
dumps_at_quit() {
    "$1" 2>"$TMPDIR/said" &
    server=$!
    wait_for "$TMPDIR/said" '^ready$' $server && kill -QUIT $server &&
        wait_for "$TMPDIR/said" '^tasks of process ' $server
    dumped=$?
    kill -TERM $server
    wait $server
    return $dumped
}

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH="${pc%/weft.pc}" PKG_CONFIG_SYSROOT_DIR="$root"
    check "a program builds by weft.pc" \
        sh -c '$CC -o "$TMPDIR/user" "$TMPDIR/user.c" $(pkg-config --cflags --libs weft)'
    check "and runs" env LD_LIBRARY_PATH="${library%/*}" "$TMPDIR/user"
    check "weft.pc protects its stacks" \
        sh -c 'pkg-config --cflags weft | grep -q -- -fstack-clash-protection'
    check "the private libraries stay private" \
        sh -c 'test -z "$(pkg-config --libs weft | tr " " "\n" | grep -v "^-L\|^-lweft$\|^$")"'

    # The archive: a build makes it with --enable-static alone, so here is one of the same objects.
    mkdir "$TMPDIR/archive"
    cp "$WEFT_BUILD/.libs/libweft-internal.a" "$TMPDIR/archive/libweft.a"
    cat >"$TMPDIR/server.c" <<'END'
#include <signal.h>
#include <stdio.h>

#include <weft/serve.h>

static int handle(weft_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
	return 0;
}

static void ready(void *arg)
{
	(void)arg;
	fputs("ready\n", stderr);
}

int main(void)
{
	struct weft_serve_options options = {
		.address = "127.0.0.1:0", .workers = -1, .on_ready = ready
	};

	signal(SIGQUIT, SIG_DFL); /* a shell ignores it for what runs in the background */
	return weft_exit_status(weft_serve(&options, handle, NULL));
}
END
    check "a server builds from the archive by weft.pc" sh -c '$CC -L"$TMPDIR/archive" -o \
        "$TMPDIR/server" "$TMPDIR/server.c" $(pkg-config --static --cflags --libs weft) &&
        ! ldd "$TMPDIR/server" | grep -q libweft'
    check "and dumps its tasks at SIGQUIT" dumps_at_quit "$TMPDIR/server"

    unset PKG_CONFIG_SYSROOT_DIR
    export PKG_CONFIG_PATH="$WEFT_BUILD"
    check "a program builds and runs by weft-uninstalled.pc" \
        sh -c '$CC -o "$TMPDIR/user" "$TMPDIR/user.c" $(pkg-config --cflags --libs weft) && "$TMPDIR/user"'
else
    skip "a program builds by weft.pc" "pkg-config is not installed"
fi

finish
