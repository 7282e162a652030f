/*
 * Walking a stack; frames.h has the model.
 */
#include "debug/frames.h"

#include "debug/call.h"

/* So far above the stack pointer a frame record is searched for. */
enum { SEARCH_BYTES = 64 * 1024, LINKS_TO_TRUST = 3 };

struct walk {
	struct cfi *cfi;
	struct peek *peek; /* of the stack */
	uintptr_t low, high;
	struct registers registers;
};

/* ---- The chain of frame pointers ---- */

/* What a frame pointer points to. */
struct record {
	uint64_t next; /* the caller's record; 0 at the end of the chain */
	uint64_t pc; /* where the call returns to */
};

static bool read_record(const struct walk *walk, uint64_t at, struct record *record)
{
	return at >= walk->low && at < walk->high && walk->high - at >= sizeof(*record) &&
	       at % 16 == 0 && weft__peek_word(walk->peek, at, &record->next) &&
	       weft__peek_word(walk->peek, at + 8, &record->pc);
}

/* Could a record lie there? `target` is the function that it must be a call of; 0: any. */
static bool is_record(const struct walk *walk, uint64_t at, uint64_t target,
		      struct record *record)
{
	uint64_t called;

	if (!read_record(walk, at, record) ||
	    (record->next != 0 && (record->next <= at || record->next >= walk->high)))
		return false;
	switch (weft__call_before(&walk->cfi->code, record->pc, &called)) {
	case CALL_NONE:
		return false;
	case CALL_DIRECT:
		return !target || called == target;
	case CALL_UNKNOWN:
		return !target;
	}
	return false;
}

/* Do the tables say of a return address that its function has no caller, or nothing at all? */
static bool is_outermost(const struct walk *walk, uint64_t pc)
{
	struct registers registers = { .pc = pc, .is_return = true };
	uint64_t function;
	enum cfi_result result =
		weft__cfi_step(walk->cfi, walk->peek, &registers, &function);

	return result == CFI_END || result == CFI_NONE;
}

/* Does a chain begin there that ends well, or goes on for so long that it is no accident? */
static bool is_chain(const struct walk *walk, uint64_t at, uint64_t target)
{
	struct record record;

	for (int n = 0; n < LINKS_TO_TRUST; n++) {
		if (!is_record(walk, at, target, &record))
			return false;
		if (record.next == 0)
			return is_outermost(walk, record.pc);
		at = record.next;
		target = 0;
	}
	return true;
}

/* The first chain above the stack pointer; 0 if there is none. */
static uint64_t search_chain(const struct walk *walk, uint64_t target)
{
	uint64_t at = (walk->registers.value[CFI_STACK_POINTER] + 15) & ~(uint64_t)15;
	uint64_t end = MIN(at + SEARCH_BYTES, walk->high);

	for (; at < end; at += 16) {
		if (is_chain(walk, at, target))
			return at;
	}
	return 0;
}

static bool step_by_record(struct walk *walk, uint64_t at)
{
	struct registers *registers = &walk->registers;
	struct record record;

	if (at < registers->value[CFI_STACK_POINTER] || !is_record(walk, at, 0, &record))
		return false;
	*registers = (struct registers){ .pc = record.pc, .is_return = true };
	register_set(registers, CFI_FRAME_POINTER, record.next);
	register_set(registers, CFI_STACK_POINTER, at + sizeof(record));
	return true;
}

/* ---- Steps ---- */

/* One by the tables, if it leads up this stack and to code. */
static enum cfi_result step_by_tables(struct walk *walk, uint64_t *function)
{
	struct registers caller = walk->registers;
	enum cfi_result result = weft__cfi_step(walk->cfi, walk->peek, &caller, function);
	uint64_t sp, target;

	if (result != CFI_STEPPED)
		return result;
	sp = caller.value[CFI_STACK_POINTER];
	/* Only a function that made no call can do without a frame. */
	if (sp < walk->registers.value[CFI_STACK_POINTER] + walk->registers.is_return ||
	    sp > walk->high)
		return CFI_NONE;
	if (caller.is_return && !weft__cfi_knows(walk->cfi, &caller) &&
	    weft__call_before(&walk->cfi->code, caller.pc, &target) == CALL_NONE)
		return CFI_NONE;
	walk->registers = caller;
	return CFI_STEPPED;
}

enum step { STEP_DONE, STEP_OVER_GAP, STEP_END, STEP_LOST };

/* Frame pointer, or search: where the tables do not help. */
static enum step step_without_tables(struct walk *walk, bool lacks, uint64_t function)
{
	struct registers *registers = &walk->registers;
	uint64_t at;

	if (!lacks && register_is_known(registers, CFI_FRAME_POINTER)) {
		if (registers->value[CFI_FRAME_POINTER] == 0)
			return STEP_END;
		if (step_by_record(walk, registers->value[CFI_FRAME_POINTER]))
			return STEP_DONE;
	}
	if (lacks) { /* the frame pointer of this very function: best, a call of it is seen */
		at = search_chain(walk, function);
		if (!at)
			at = search_chain(walk,
					  0); /* it was called by a jump, or a pointer */
		register_set(registers, CFI_FRAME_POINTER, at);
		if (at && step_by_tables(walk, &function) == CFI_STEPPED)
			return STEP_DONE;
	}
	at = search_chain(walk, 0);
	return at && step_by_record(walk, at) ? STEP_OVER_GAP : STEP_LOST;
}

static enum step step(struct walk *walk)
{
	uint64_t function = 0;

	switch (step_by_tables(walk, &function)) {
	case CFI_STEPPED:
		return STEP_DONE;
	case CFI_END:
		return STEP_END;
	case CFI_LACKS:
		return step_without_tables(walk, true, function);
	case CFI_NONE:
		break;
	}
	return step_without_tables(walk, false, 0);
}

void weft__frames_walk(struct cfi *cfi, struct peek *peek,
		       const struct registers *registers, uintptr_t low, uintptr_t high,
		       struct frames *frames)
{
	struct walk walk = { .cfi = cfi,
			     .peek = peek,
			     .low = low,
			     .high = high,
			     .registers = *registers };
	bool after_gap = false;

	frames->n = 0;
	frames->is_complete = false;
	while (frames->n < MOST_FRAMES) {
		frames->of[frames->n++] = (struct frame){
			.pc = walk.registers.pc,
			.is_return = walk.registers.is_return,
			.after_gap = after_gap,
		};
		switch (step(&walk)) {
		case STEP_DONE:
			after_gap = false;
			break;
		case STEP_OVER_GAP:
			after_gap = true;
			break;
		case STEP_END:
			frames->is_complete = true;
			return;
		case STEP_LOST:
			return;
		}
	}
}
