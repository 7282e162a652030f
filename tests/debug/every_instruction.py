# For gdb, by tests/debug/every_instruction.sh: single-steps through the switches of
# tests/debug/switching.c and looks at the whole stack at every instruction.
#
# On a stack whose function we know, the frames must lead to that function, from there to where the
# stack begins, and nowhere else; and that function's registers, as the debugger recovers them from
# the frames below, must be those that it had when it made its call. So a wrong rule for one
# register at one instruction is found, also where the names come out right.

import gdb

SWITCHES = 60
MOST_STEPS = 100000
MOST_FRAMES = 40
KEPT = {  # what a call leaves alone; the stack pointer last
    "i386:x86-64": ("rbx", "rbp", "r12", "r13", "r14", "r15", "rsp"),
    "aarch64": ("x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "sp"),
}
BEGIN_OF_STACK = ("weft__stack_entry", "weft__stack_start", "__start_context")
FOLLOWED = ("main", "alpha", "beta")


class Wrong(Exception):
    pass


def frames():
    found = []
    frame = gdb.newest_frame()
    while frame is not None:
        found.append(frame)
        if len(found) == MOST_FRAMES:
            raise Wrong("the frames have no end")
        frame = frame.older()
    return found


def register(frame, name):
    return int(frame.read_register(name).cast(gdb.lookup_type("unsigned long")))


def whose_stack(sp):
    """The function whose frame lies next above the stack pointer; None on a new stack."""
    best = None
    for name in FOLLOWED:
        at = int(gdb.parse_and_eval("(unsigned long)frame_of_" + name))
        if at and sp - 4096 <= at < sp + 192 * 1024 and (best is None or at < best[0]):
            best = (at, name)
    return best and best[1]


class Follower:
    def __init__(self):
        self.kept = KEPT[gdb.newest_frame().architecture().name()]
        self.known = {}  # function: its registers, as they were when it last ran itself

    def sp(self):
        return register(gdb.newest_frame(), self.kept[-1])

    def look(self):
        """One look at all frames. Returns whose stack it is."""
        stack = frames()
        # None in code without symbols. Where clang assembles, gdb takes the names to be Ada's.
        names = [name and name.replace("weft.", "weft__") for name in
                 (frame.name() for frame in stack)]
        owner = whose_stack(self.sp())
        if owner == "main":
            if "main" not in names:
                raise Wrong("does not lead to main: %s" % names)
        elif names[-1] not in BEGIN_OF_STACK:
            raise Wrong("does not end where the stack begins: %s" % names)
        if owner is None:
            return None
        if owner not in names:
            raise Wrong("does not lead to %s: %s" % (owner, names))
        self.compare(owner, names, stack)
        return owner

    def compare(self, owner, names, stack):
        at = names.index(owner)
        values = [register(stack[at], name) for name in self.kept]
        if at == 0:
            self.known[owner] = values
        elif owner in self.known and values != self.known[owner]:
            raise Wrong("recovers the registers of %s as %s, which were %s: %s"
                        % (owner, values, self.known[owner], names))
        if owner != "main" and names[at + 1:at + 2] != ["weft__task_main"]:
            raise Wrong("does not say who called %s: %s" % (owner, names))


def main():
    for line in ("set pagination off", "set confirm off", "set width 0",
                 "set debuginfod enabled off", "set startup-with-shell off", "break beta"):
        gdb.execute(line)
    gdb.execute("run", to_string=True)
    gdb.execute("delete", to_string=True)
    follower = Follower()
    seen = dict.fromkeys(FOLLOWED, 0)
    n_switches = n_right = n_wrong = 0
    sp = follower.sp()
    for _ in range(MOST_STEPS):
        try:
            owner = follower.look()
            seen[owner] = seen.get(owner, 0) + 1
            n_right += 1
        except (Wrong, gdb.error) as wrong:
            n_wrong += 1
            if n_wrong <= 10:
                print("WRONG", gdb.execute("x/i $pc", to_string=True).strip(), wrong)
        gdb.execute("stepi", to_string=True)
        if abs(follower.sp() - sp) > 64 * 1024:
            n_switches += 1
            if n_switches == SWITCHES:
                break
        sp = follower.sp()
    gdb.execute("kill", to_string=True)
    print("RESULT %d switches, %d right, %d wrong" % (n_switches, n_right, n_wrong))
    print("SEEN " + " ".join(name for name in FOLLOWED if seen[name] > 100))


main()
