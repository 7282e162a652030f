# gdb commands for programs that use weft, live and in core files:
#
#   (gdb) source .../weft-gdb.py
#   (gdb) weft tasks               all tasks of all loops
#   (gdb) weft bt 3                the stack of task 3 of that list; also by name or address
#   (gdb) weft bt all              the stacks of all
#   (gdb) weft bt 3 full           what follows is passed on to gdb's own bt
#   (gdb) weft gcore FILE          a core file of the live program that has its stacks
#
# Nothing runs in the program. Where its tasks lie is read from a table that libweft brings along
# (task/layout.h), so the library's symbols are enough; types and lines of your own code make the
# stacks readable. To have this always, put the source line into ~/.gdbinit.

import re
import struct

import gdb
import gdb.unwinder

LAYOUT_VERSION = 1

# The names gdb has for the registers that DWARF numbers.
REGISTERS = {
    "x86-64": {3: "rbx", 6: "rbp", 12: "r12", 13: "r13", 14: "r14", 15: "r15"},
    "aarch64": {number: "x%d" % number for number in range(19, 31)},
}
PC_AND_SP = {"x86-64": ("rip", "rsp"), "aarch64": ("pc", "sp")}


def machine():
    name = gdb.selected_inferior().architecture().name()
    if "x86-64" in name:
        return "x86-64"
    if "aarch64" in name:
        return "aarch64"
    raise gdb.GdbError("weft: the stacks of %s are not known here" % name)


# ---- Memory ----


def read_number(address, size=8):
    data = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(data), "little")


def read_text(address, most=64):
    text = b""
    while len(text) < most:
        byte = bytes(gdb.selected_inferior().read_memory(address + len(text), 1))
        if byte == b"\0":
            break
        text += byte
    return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace"))


class Layout:
    """Where things lie in this program: fields by name, as (offset, size)."""

    def __init__(self):
        try:
            at = int(gdb.parse_and_eval("(unsigned long)&weft__layout"))
        except gdb.error:
            raise gdb.GdbError("weft: no libweft in this program yet, or its symbols were stripped")
        if read_number(at, 4) != LAYOUT_VERSION:
            raise gdb.GdbError("weft: this libweft is of another version than weft-gdb.py")
        self.slabs = read_number(at + 8)
        self.saved = read_number(at + 16)
        entries = read_number(at + 24)
        self.fields = {}
        for i in range(read_number(at + 4, 4)):
            entry = entries + 32 * i
            self.fields[read_text(entry, 24)] = (read_number(entry + 24, 4),
                                                 read_number(entry + 28, 4))

    def number(self, name):
        return self.fields[name][0]

    def get(self, address, field):
        offset, size = self.fields[field]
        return read_number(address + offset, size)

    def text(self, address, field):
        offset, size = self.fields[field]
        return read_text(address + offset, size)


# ---- Code ----


def function_at(address):
    """The name of the function that an address lies in, or the number."""
    block = gdb.block_for_pc(address)
    while block is not None and (block.function is None or block.function.type is None):
        block = block.superblock
    if block is not None:
        return block.function.name
    said = gdb.execute("info symbol %d" % address, to_string=True)
    found = re.match(r"(\S+)( \+ \d+)? in section", said)
    return found.group(1) if found else "0x%x" % address


def place(address):
    """As weft_describe_place(): "serve (server.c:42)"."""
    if address == 0:
        return "?"
    line = gdb.find_pc_line(address - 1)
    name = function_at(address - 1)
    if line.symtab is None:
        return name
    return "%s (%s:%d)" % (name, line.symtab.filename.split("/")[-1], line.line)


# ---- Tasks ----


class Task:
    def __init__(self, layout, number, address, low):
        self.layout = layout
        self.number = number
        self.address = address
        self.low = low
        self.state = layout.get(address, "task.state")
        self.loop = layout.get(address, "task.loop")
        self.awaits = []
        self.awaited_by = []

    def name(self):
        name = self.layout.text(self.address, "task.name")
        return name or function_at(self.layout.get(self.address, "task.name_of"))

    def loop_name(self):
        return self.layout.text(self.loop, "loop.name")

    def is_(self, state):
        return self.state == self.layout.number("state." + state)

    def has(self, sp):
        return self.low <= sp < self.address

    def park(self):
        """What a waiting task says about its wait; 0 if it does not wait."""
        return self.layout.get(self.address, "task.park") if self.is_("waiting") else 0

    def what(self):
        park = self.park()
        return read_text(self.layout.get(park, "park.what")) if park else ""

    def awaited_group(self):
        park = self.park()
        return self.layout.get(park, "park.awaited_group") if park else 0

    def awaited_addresses(self):
        """Of the tasks that it waits for: their ends, or the lock that one holds."""
        layout, park = self.layout, self.park()
        if not park:
            return []
        found = [layout.get(park, "park.awaited")]
        futures = [] if found[0] else [layout.get(park, "park.awaited_future")]
        lock = layout.get(park, "park.awaited_lock")
        if lock:
            found.append(layout.get(lock, "lock.holder"))
        observer = layout.get(park, "park.awaited_all")
        for i in range(layout.get(observer, "observer.n") if observer else 0):
            one = layout.get(observer, "observer.all") + i * layout.number("observed.bytes")
            if not layout.get(one, "observed.is_told"):
                futures.append(layout.get(one, "observed.future"))
        return found + [layout.get(future, "future.task") for future in futures if future]

    def waits_for(self):
        """As weft tasks shows it: "join (3)"."""
        numbers = ", ".join(str(task.number) for task in self.awaits)
        return "%s (%s)" % (self.what(), numbers) if numbers else self.what()

    def described(self):
        if self.is_("ready"):
            return "ready"
        if self.is_("running"):
            return "running"
        if self.is_("waiting"):
            return "waiting"
        return "ended"

    def saved_registers(self):
        """Of a suspended task, by gdb's names; the stack pointer that it goes on with is last."""
        layout, sp = self.layout, self.layout.get(self.address, "task.sp")
        names = REGISTERS[machine()]
        pc_name, sp_name = PC_AND_SP[machine()]

        def of_saved(field):
            return read_number(layout.saved + layout.number("saved." + field), 2)

        if of_saved("n_registers") == 0:
            raise gdb.GdbError("weft: where this library saves registers is not known")
        registers = {pc_name: read_number(sp + of_saved("pc_at"))}
        for i in range(of_saved("n_registers")):
            entry = layout.saved + layout.number("saved.registers") + 4 * i
            name = names.get(read_number(entry, 2))
            if name:
                registers[name] = read_number(sp + read_number(entry + 2, 2))
        if of_saved("sp_at"):
            registers[sp_name] = read_number(sp + of_saved("sp_at"))
        else:
            registers[sp_name] = sp + of_saved("sp_above")
        return registers


def blocks(layout):
    """The task blocks of all slabs, with where each one's stack begins."""
    line = layout.number("cache_line")
    size = (layout.number("task.bytes") + line - 1) // line * line
    slab = read_number(layout.slabs)
    while slab != layout.slabs:
        base, stride = layout.get(slab, "slab.base"), layout.get(slab, "slab.stride")
        for i in range(layout.get(slab, "slab.n_cut")):
            colour = i % layout.number("stack.colours") * layout.number("stack.colour_bytes")
            yield (base + (i + 1) * stride - colour - size,
                   base + i * stride + layout.get(slab, "slab.guard"))
        slab = read_number(slab)


def all_tasks():
    layout = Layout()
    tasks = []
    for address, low in blocks(layout):
        task = Task(layout, len(tasks) + 1, address, low)
        if task.loop == 0:
            raise gdb.GdbError("weft: this core file lacks the stacks: gdb's gcore stops at their "
                               "guards. Use weft gcore, or the core files that the kernel writes")
        if not task.is_("free"):
            tasks.append(task)
    connect(tasks)
    return tasks


def connect(tasks):
    """Tells each task whom it waits for, and who waits for it, on whatever loop."""
    by_address = {task.address: task for task in tasks}
    owners = {task.awaited_group(): task for task in tasks if task.awaited_group()}
    pairs = []
    for task in tasks:
        pairs += [(task, by_address.get(address)) for address in task.awaited_addresses()]
        group = task.layout.get(task.address, "task.group")
        pairs.append((owners.get(group) if group else None, task))
    for waiter, awaited in pairs:
        if waiter and awaited:
            waiter.awaits.append(awaited)
            awaited.awaited_by.append(waiter)


def find_tasks(wanted):
    tasks = all_tasks()
    if wanted == "all":
        return tasks
    try:
        number = int(wanted, 0)
        found = [task for task in tasks if number in (task.number, task.address)]
    except ValueError:
        found = [task for task in tasks if task.name() == wanted]
    if not found:
        raise gdb.GdbError("weft: there is no task %s; try: weft tasks" % wanted)
    return found


# ---- Stacks ----


class SavedStack(gdb.unwinder.Unwinder):
    """Makes the innermost frame of the selected thread be called by a suspended task."""

    class FrameId:
        def __init__(self, sp, pc):
            self.sp = sp
            self.pc = pc

    def __init__(self, registers):
        super().__init__("weft")
        word = gdb.lookup_type("unsigned long")
        self.registers = {name: gdb.Value(value).cast(word) for name, value in registers.items()}
        self.used = False

    def __call__(self, pending):
        if self.used:
            return None
        self.used = True
        pc_name, sp_name = PC_AND_SP[machine()]
        # gdb refuses stacks that lead downwards: the frame pretends to lie below the task's.
        below = self.registers[sp_name] - 16
        unwound = pending.create_unwind_info(
            self.FrameId(below, pending.read_register(pc_name)))
        for name, value in self.registers.items():
            unwound.add_saved_register(name, value)
        return unwound


def without_first_frame(text):
    """What bt printed, without frame 0, which is the thread's own, and numbered anew."""
    lines = []
    for line in text.splitlines():
        number = re.match(r"#(\d+) ", line)
        if number:
            frame = int(number.group(1))
            line = "#%-3d%s" % (frame - 1, line[len("#%-3d" % frame):])
            lines.append((frame, line))
        elif lines:
            lines.append((lines[-1][0], line))
    return "\n".join(line for frame, line in lines if frame > 0)


def print_saved(task, arguments):
    registers = task.saved_registers()
    pc = registers[PC_AND_SP[machine()][0]]
    if pc == int(gdb.parse_and_eval("(unsigned long)&weft__stack_entry")):
        print("(has not begun)")
        return
    if gdb.selected_thread() is None:
        raise gdb.GdbError("weft: there is no thread, from which gdb would begin")
    unwinder = SavedStack(registers)
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    gdb.invalidate_cached_frames()
    try:
        print(without_first_frame(gdb.execute("bt " + arguments, to_string=True)))
    finally:
        unwinder.enabled = False
        gdb.invalidate_cached_frames()


def print_running(task, arguments):
    """A running task's stack is its thread's, unless it made a call on the thread's own."""
    tid = task.layout.get(task.loop, "loop.tid")
    before = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] != tid:
            continue
        thread.switch()
        try:
            sp = int(gdb.newest_frame().read_register(PC_AND_SP[machine()][1]))
            if not task.has(sp):
                break
            print(gdb.execute("bt " + arguments, to_string=True).rstrip())
            return
        finally:
            before.switch()
    print_saved(task, arguments)


def print_stack(task, arguments):
    if task.is_("done"):
        print("(ended)")
    elif task.is_("running"):
        print_running(task, arguments)
    else:
        print_saved(task, arguments)


# ---- Core files ----

PAGE = 4096


def used_parts(layout):
    """What is in use of each stack: from its stack pointer to its top, in whole pages."""
    for address, low in blocks(layout):
        task = Task(layout, 0, address, low)
        top = address + layout.number("task.bytes")
        sp = layout.get(address, "task.sp")
        if task.is_("free"):
            begin = address
        elif task.is_("running") or not task.has(sp):
            begin = low
        else:
            begin = sp
        yield begin // PAGE * PAGE, (top + PAGE - 1) // PAGE * PAGE


def segments(core):
    """The memory in a core file, as (address, size, offset in the file)."""
    head = core.read(64)
    table, entry_size, n = (struct.unpack_from("<Q", head, 32)[0],
                            struct.unpack_from("<H", head, 54)[0],
                            struct.unpack_from("<H", head, 56)[0])
    found = []
    for i in range(n):
        core.seek(table + i * entry_size)
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", core.read(entry_size))
        if kind == 1:  # PT_LOAD
            found.append((address, size, offset))
    return found


def write_stacks(path):
    """Puts the stacks into a core file of this process; returns how many."""
    n = 0
    with open(path, "r+b") as core:
        where = segments(core)
        for begin, end in used_parts(Layout()):
            for address, size, offset in where:
                if address <= begin and end <= address + size:
                    core.seek(offset + begin - address)
                    core.write(gdb.selected_inferior().read_memory(begin, end - begin))
                    n += 1
    return n


# ---- Commands ----


class Prefix(gdb.Command):
    """Looking at the tasks of a program that uses weft."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """weft tasks: list the tasks of all loops."""

    def __init__(self):
        super().__init__("weft tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        rows = [("", "loop", "address", "task", "state", "waits for",
                 "awaited by", "spawned at")]
        for task in tasks:
            rows.append((str(task.number), task.loop_name(), "0x%x" % task.address, task.name(),
                         task.described(), task.waits_for(),
                         ", ".join(str(waiter.number) for waiter in task.awaited_by),
                         place(task.layout.get(task.address, "task.place"))))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Tree(gdb.Command):
    """weft tree [TASK]: below each task, those that it waits for, on whatever loop."""

    def __init__(self):
        super().__init__("weft tree", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        tasks = find_tasks(words[0]) if words else all_tasks()
        shown = set()
        for task in tasks:
            if words or not task.awaited_by:
                self.show(task, shown)
        for task in tasks:  # what is left waits for itself by way of others
            if task.number not in shown:
                self.show(task, shown)

    def show(self, first, shown):
        rows = [(first, 0)]
        while rows:
            task, depth = rows.pop()
            line = "%s%d  %s: %s" % ("  " * depth, task.number, task.name(),
                                     task.what() or task.described())
            print(line + (", shown above" if task.number in shown else ""))
            if task.number not in shown:
                shown.add(task.number)
                rows += [(awaited, depth + 1) for awaited in reversed(task.awaits)]


class Bt(gdb.Command):
    """weft bt TASK|all [ARGUMENT...]: print the stack of a task, by number, name or address."""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if not words:
            raise gdb.GdbError("weft bt: of which task? A number of weft tasks, a name, or all")
        width = gdb.parameter("width")
        gdb.execute("set width 0")
        try:
            tasks = find_tasks(words[0])
            for task in tasks:
                if len(tasks) > 1 or words[0] == "all":
                    print("%s%d  %s" % ("" if task is tasks[0] else "\n", task.number, task.name()))
                print_stack(task, " ".join(words[1:]))
        finally:
            gdb.execute("set width %s" % ("unlimited" if width is None else width))


class Gcore(gdb.Command):
    """weft gcore [FILE]: write a core file of the live program, with the stacks of its tasks.

gdb's own gcore stops reading a mapping at the first page that it cannot read, and loses what is
behind: all stacks, where they have guards inside their mapping (Linux 6.13)."""

    def __init__(self):
        super().__init__("weft gcore", gdb.COMMAND_SUPPORT, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        path = words[0] if words else "core.%d" % gdb.selected_inferior().pid
        said = gdb.execute("generate-core-file " + path, to_string=True)
        print(said.strip().splitlines()[-1])
        print("with the stacks of %d tasks, ended ones included" % write_stacks(path))


Prefix()
Tasks()
Tree()
Bt()
Gcore()
