#!/bin/sh
# An include never points up the layers, and what we show to users uses public headers only.
#
# The two tables below are the layers: DESIGN and ARCHITECTURE.md say why.

. "$WEFT_SOURCE/tests/tap.sh"

# find_violations TREE: one line for each include that is not allowed.
find_violations() {
    (cd "$1" && find include base loop task ipc executor net http serve debug tools examples \
        \( -name '*.[chS]' -o -name '*.cc' \) 2>/dev/null | sort | xargs -r awk '
        BEGIN {
            # Which folders a folder may include, besides itself.
            may["include"] = ""
            may["base"] = ""
            may["loop"] = "base"
            may["task"] = "base loop"
            may["ipc"] = "base loop task"
            may["executor"] = "base loop task ipc"
            may["net"] = "base loop task ipc executor"
            may["http"] = "base loop task ipc executor net"
            may["serve"] = "base loop task ipc executor net"
            may["debug"] = "base loop task ipc executor"
            may["tools"] = ""
            may["examples"] = ""

            # To which folder a public header belongs.
            owner["base.h"] = owner["report.h"] = "base"
            owner["loop.h"] = owner["signal.h"] = "loop"
            owner["channel.h"] = owner["group.h"] = owner["queue.h"] = "task"
            owner["sync.h"] = owner["task.h"] = "task"
            owner["test.h"] = owner["timeout.h"] = "task"
            owner["message.h"] = "ipc"
            owner["executor.h"] = "executor"
            owner["datagram.h"] = owner["file.h"] = owner["resolver.h"] = "net"
            owner["stream.h"] = owner["subprocess.h"] = owner["tls.h"] = "net"
            owner["transport.h"] = "net"
            owner["http.h"] = "http"
            owner["serve.h"] = "serve"
            owner["debug.h"] = "debug"
        }
        function is_allowed(from, to,    i, n, list) {
            if (from == to)
                return 1
            n = split(may[from], list, " ")
            for (i = 1; i <= n; i++)
                if (list[i] == to)
                    return 1
            return 0
        }
        function complain(why) {
            print FILENAME ":" FNR ": " $0 ": " why
        }
        FNR == 1 {
            split(FILENAME, part, "/")
            folder = part[1]
            is_umbrella = FILENAME == "include/weft/weft.h"
            is_public = folder == "include"
            if (is_public && !is_umbrella) {
                if (!(part[3] in owner))
                    print FILENAME ": in which layer is it? Say so in tests/structure/layers.sh"
                folder = owner[part[3]]
            }
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, quoted, "\"")
            n = split(quoted[2], part, "/")
            if (is_public)
                complain("a public header includes public headers only, as <weft/...>")
            else if (n < 2 || !(part[1] in may))
                complain("write the path from the top folder")
            else if (!is_allowed(folder, part[1]))
                complain(folder "/ must not use " part[1] "/")
        }
        /^[ \t]*#[ \t]*include[ \t]*<weft\// {
            header = $0
            sub(/.*<weft\//, "", header)
            sub(/>.*/, "", header)
            if (is_umbrella || folder == "tools" || folder == "examples")
                next
            if (header == "weft.h")
                complain("include what is used, not everything")
            else if (!(header in owner))
                complain("in which layer is it? Say so in tests/structure/layers.sh")
            else if (!is_allowed(folder, owner[header]))
                complain(folder "/ must not use " owner[header] "/")
        }')
}

# plant FILE LINE: is the line, as the only one of that file, found to be wrong?
plant() {
    rm -rf "$TMPDIR/planted"
    mkdir -p "$TMPDIR/planted/${1%/*}"
    echo "$2" >"$TMPDIR/planted/$1"
    find_violations "$TMPDIR/planted"
}

expect_empty "no include points up the layers" "$(find_violations "$WEFT_SOURCE")"

expect_found "finds a lower folder using a higher one" "$(plant loop/a.c '#include "task/task.h"')"
expect_found "finds folders of one level using each other" "$(plant http/a.c '#include "serve/a.h"')"
expect_found "finds a public header of a higher layer" "$(plant base/a.c '#include <weft/loop.h>')"
expect_found "finds public headers that point up" \
    "$(plant include/weft/base.h '#include <weft/task.h>')"
expect_found "finds a private header in a tool" "$(plant tools/a.c '#  include "base/list.h"')"
expect_found "finds a private header in an example" "$(plant examples/a.c '#include "loop/loop.h"')"
expect_found "finds a path that is not from the top" "$(plant net/a.c '#include "stream.h"')"
expect_empty "finds nothing wrong with what is allowed" \
    "$(plant net/a.c '#include "task/task.h"')$(plant examples/a.c '#include <weft/weft.h>')"

finish
