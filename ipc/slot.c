/*
 * The slots of a supervisor; see the header.
 *
 * A process belongs to a slot, as current or next, until it is told to leave; from then
 * on only the list of processes holds it, until it has ended. So whoever dies while it
 * has a slot dies unasked.
 *
 * Nothing here frees a process but weft__slot_on_end(), and only the one it is about:
 * whoever walks the list of processes may call all the rest. Slots are added and removed
 * between turns only. A callback that is told something may stop everything: what was
 * true before is looked at again after it.
 */
#include "ipc/slot.h"

#include <stdio.h>

#define TEXT_BYTES 512
#define END_BYTES  192 /* how a process ended is said in less */
#define NEXT_BYTES 48

static double seconds(weft_time time)
{
	return (double)time / (double)WEFT_SEC;
}

/* ---- Starting ---- */

/* Room to poll one process more, so that no turn of the supervisor needs memory. */
static int reserve_polls(struct weft__supervisor *supervisor)
{
	size_t n = 1 + 2 * (supervisor->n_processes + 1);
	struct pollfd *polls;

	if (n <= supervisor->n_polls_max)
		return 0;
	polls = weft__realloc_array(supervisor->polls, 2 * n, sizeof(*polls));
	if (!polls)
		return weft_error_set(-ENOMEM, "no memory to watch one process more");
	supervisor->polls = polls;
	supervisor->n_polls_max = 2 * n;
	return 0;
}

static int launch(struct weft__supervisor *supervisor, struct weft__slot *slot,
		  const struct weft__program *program, unsigned generation,
		  struct weft__process **process)
{
	int r;

	r = reserve_polls(supervisor);
	if (r < 0)
		return r;
	r = weft__process_start(&supervisor->launch, program, slot->index, generation,
				process);
	if (r < 0)
		return r;
	(*process)->slot = slot;
	list_push_back(&supervisor->processes, &(*process)->link);
	supervisor->n_processes++;
	weft__tell_of(supervisor, WEFT__NEWS_STARTED, *process, 0,
		      "of generation %u started", generation);
	if (weft__process_is_ready(*process))
		weft__slot_on_ready(supervisor, *process); /* it is mute */
	return 0;
}

/* Something died in the slot, or could not be started. Return: when to try again. */
static weft_time start_later(struct weft__slot *slot, bool was_ready)
{
	weft_time now = weft__clock();
	weft_time delay = weft__backoff_death(&slot->backoff, now, was_ready);

	slot->start_at = weft__time_add(now, delay);
	return delay;
}

/* Was that one death too many? */
static bool is_spent(const struct weft__supervisor *supervisor,
		     const struct weft__slot *slot)
{
	return supervisor->stopping == WEFT__STOPPING_NOT &&
	       weft__backoff_is_spent(&slot->backoff, weft__clock());
}

/* Told after the death itself. */
static void check_budget(struct weft__supervisor *supervisor, struct weft__slot *slot,
			 int code, const char *last)
{
	const struct weft__backoff_options *budget = &slot->backoff.options;

	if (!is_spent(supervisor, slot))
		return;
	if (supervisor->ever_ready) {
		weft__tell(
			supervisor, WEFT__NEWS_SPENT, slot->index,
			"worker %d was lost %d times within %.3g s: it is started again more "
			"and more slowly",
			slot->index, budget->budget, seconds(budget->window_ns));
		return;
	}
	weft__supervisor_fail(
		supervisor, code,
		"gave up: worker %d was lost %d times within %.3g s before any worker "
		"was ready; at last it %s",
		slot->index, budget->budget, seconds(budget->window_ns), last);
	weft__tell(supervisor, WEFT__NEWS_GAVE_UP, slot->index, "%s",
		   supervisor->result_text);
	weft__stop(supervisor, WEFT__STOPPING_AT_ONCE);
}

/* When the next one is started: nobody, if that was the last try. */
static const char *describe_next(const struct weft__supervisor *supervisor,
				 const struct weft__slot *slot, weft_time delay,
				 char text[NEXT_BYTES])
{
	text[0] = '\0';
	if (supervisor->ever_ready || !is_spent(supervisor, slot))
		snprintf(text, NEXT_BYTES, "; next try in %.2g s", seconds(delay));
	return text;
}

static void start_in(struct weft__supervisor *supervisor, struct weft__slot *slot,
		     struct weft__process **place)
{
	char why[TEXT_BYTES], next[NEXT_BYTES];
	weft_time delay;
	int r;

	r = launch(supervisor, slot, &supervisor->program, supervisor->generation, place);
	if (r >= 0)
		return;
	delay = start_later(slot, false);
	snprintf(why, sizeof(why), "could not be started: %s", weft_error_text(r));
	weft__tell(supervisor, WEFT__NEWS_NOT_STARTED, slot->index, "worker %d %s%s",
		   slot->index, why, describe_next(supervisor, slot, delay, next));
	check_budget(supervisor, slot, r, why);
}

void weft__slot_start(struct weft__supervisor *supervisor, struct weft__slot *slot)
{
	slot->start_at = WEFT_FOREVER;
	if (supervisor->stopping != WEFT__STOPPING_NOT)
		return;
	if (!slot->current)
		start_in(supervisor, slot, &slot->current);
	else if (slot->current->wants_replacement && !slot->next &&
		 !supervisor->reloading)
		start_in(supervisor, slot, &slot->next);
}

/* ---- Leaving ---- */

static void leave(struct weft__process *process)
{
	process->slot = NULL;
	weft__process_drain(process);
}

/* It never served, so it has nothing to drain; one that is telling why may go on. */
static void dismiss_next(struct weft__slot *slot)
{
	struct weft__process *process = slot->next;

	slot->next = NULL;
	if (!process)
		return;
	process->slot = NULL;
	if (process->state != WEFT__PROCESS_DUMPING)
		weft__process_stop(process);
}

static void take_over(struct weft__slot *slot)
{
	struct weft__process *before = slot->current;

	slot->current = slot->next;
	slot->next = NULL;
	slot->start_at = slot->current->wants_replacement ? weft__clock() : WEFT_FOREVER;
	if (before)
		leave(before);
}

int weft__slot_add(struct weft__supervisor *supervisor)
{
	struct weft__slot *slot = weft__zalloc(sizeof(*slot));
	int r;

	if (!slot)
		return -ENOMEM;
	/* Differs from slot to slot and from run to run. */
	r = weft__backoff_init(&slot->backoff, &supervisor->options.backoff,
			       (uint64_t)weft__clock() * 2654435761u);
	if (r < 0) {
		free(slot);
		return r;
	}
	slot->index = supervisor->n_slots++;
	slot->start_at = weft__clock();
	list_push_back(&supervisor->slots, &slot->link);
	return 0;
}

void weft__slot_remove(struct weft__supervisor *supervisor)
{
	struct weft__slot *slot =
		list_entry(supervisor->slots.prev, struct weft__slot, link);

	dismiss_next(slot);
	if (slot->current)
		leave(slot->current);
	list_unlink(&slot->link);
	weft__backoff_fini(&slot->backoff);
	free(slot);
	supervisor->n_slots--;
}

/* ---- Reload ---- */

static void abort_reload(struct weft__supervisor *supervisor, const char *why)
{
	supervisor->reloading = false;
	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);

		dismiss_next(slot);
		if (slot->current && slot->current->wants_replacement)
			slot->start_at = weft__clock(); /* was put off by the reload */
	}
	weft__program_close(&supervisor->reloaded);
	weft__tell(supervisor, WEFT__NEWS_RELOAD_FAILED, -1,
		   "reload failed, generation %u goes on: %s", supervisor->generation,
		   why);
}

static void finish_reload_if_all_ready(struct weft__supervisor *supervisor)
{
	list_for_each (link, &supervisor->slots)
		if (!weft__process_is_ready(
			    list_entry(link, struct weft__slot, link)->next))
			return;
	supervisor->reloading = false;
	supervisor->generation++;
	weft__program_close(&supervisor->program);
	supervisor->program = supervisor->reloaded;
	supervisor->reloaded = (struct weft__program){ .fd = -1 };
	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);

		weft__backoff_reset(&slot->backoff);
		take_over(slot);
	}
	weft__tell(supervisor, WEFT__NEWS_RELOADED, -1,
		   "generation %u serves, the old one drains", supervisor->generation);
}

static void start_next_generation(struct weft__supervisor *supervisor)
{
	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);
		int r;

		if (!supervisor->reloading)
			return; /* failed; or stopped by a callback; or done, if mute */
		r = launch(supervisor, slot, &supervisor->reloaded,
			   supervisor->generation + 1, &slot->next);
		if (r < 0)
			abort_reload(supervisor, weft_error_text(r));
	}
}

void weft__reload_begin(struct weft__supervisor *supervisor)
{
	int r;

	r = weft__program_reopen(&supervisor->program, &supervisor->reloaded);
	if (r < 0) {
		weft__tell(supervisor, WEFT__NEWS_RELOAD_FAILED, -1,
			   "reload failed, generation %u goes on: %s",
			   supervisor->generation, weft_error_text(r));
		return;
	}
	supervisor->reloading = true;
	list_for_each (link, &supervisor->slots)
		dismiss_next(list_entry(link, struct weft__slot, link));
	weft__tell(supervisor, WEFT__NEWS_RELOADING, -1, "starting generation %u from %s",
		   supervisor->generation + 1, supervisor->reloaded.path);
	start_next_generation(supervisor);
}

/* ---- What happened to a process ---- */

void weft__slot_on_ready(struct weft__supervisor *supervisor,
			 struct weft__process *process)
{
	struct weft__slot *slot = process->slot;

	supervisor->ever_ready = true;
	weft__tell_of(supervisor, WEFT__NEWS_READY, process, 0, "is ready");
	if (process->slot != slot || !slot)
		return; /* the callback has stopped everything */
	if (process != slot->next)
		return;
	if (supervisor->reloading)
		finish_reload_if_all_ready(supervisor);
	else
		take_over(slot);
}

void weft__slot_on_retire(struct weft__supervisor *supervisor,
			  struct weft__process *process)
{
	struct weft__slot *slot = process->slot;

	if (!slot || process != slot->current)
		return; /* leaves anyway; or is looked at when it takes over */
	slot->start_at = weft__clock();
	weft__tell_of(supervisor, WEFT__NEWS_REPLACING, process, 0,
		      "asks to be replaced");
}

void weft__slot_on_failure(struct weft__supervisor *supervisor,
			   struct weft__process *process, const char *why)
{
	if (process->slot && process == process->slot->next && supervisor->reloading)
		abort_reload(supervisor, why);
}

/* A sentence about the end of a process, without its subject. */
static void describe(const struct weft__supervisor *supervisor,
		     const struct weft__process *process,
		     const struct weft__child_end *end, char *text, size_t size)
{
	char how[64];

	(void)weft__child_end_text(end, how, sizeof(how));
	if (process->was_ready || !process->slot)
		snprintf(text, size, "%s", how);
	else if (process->has_arrived)
		snprintf(text, size, "%s before it was ready", how);
	else
		snprintf(text, size, "%s without reaching %s", how,
			 supervisor->options.ready_call);
}

static void on_next_ended(struct weft__supervisor *supervisor, struct weft__slot *slot,
			  const struct weft__process *process, const char *how)
{
	char why[TEXT_BYTES];
	weft_time delay;

	slot->next = NULL;
	if (supervisor->reloading) {
		weft__tell_of(supervisor, WEFT__NEWS_DIED, process, 0, "%s", how);
		snprintf(why, sizeof(why), "worker %d (pid %d) %s", process->index,
			 (int)process->child.pid, how);
		if (supervisor->reloading) /* the callback may have stopped everything */
			abort_reload(supervisor, why);
		return;
	}
	delay = start_later(slot, false);
	weft__tell_of(supervisor, WEFT__NEWS_DIED, process, delay,
		      "%s; the old one goes on, next try in %.2g s", how, seconds(delay));
}

static void on_current_ended(struct weft__supervisor *supervisor, struct weft__slot *slot,
			     const struct weft__process *process, const char *how)
{
	char next[NEXT_BYTES];
	weft_time delay;

	slot->current = NULL;
	if (slot->next && !supervisor->reloading) {
		take_over(slot); /* its successor is under way */
		weft__tell_of(supervisor, WEFT__NEWS_DIED, process, 0,
			      "%s; its successor is started already", how);
		return;
	}
	delay = start_later(slot, process->was_ready);
	weft__tell_of(supervisor, WEFT__NEWS_DIED, process, delay, "%s%s", how,
		      describe_next(supervisor, slot, delay, next));
	check_budget(supervisor, slot, -ECHILD, how);
}

/* While all are stopped, an end that nobody asked for means that work was cut off. */
static void judge_leaving(struct weft__supervisor *supervisor,
			  const struct weft__process *process,
			  const struct weft__child_end *end, const char *how)
{
	bool exited_well = end->code == CLD_EXITED && end->status == 0;
	bool got_sigterm = end->code == CLD_KILLED && end->status == SIGTERM;

	if (exited_well || got_sigterm || end->code == 0 || !process->was_ready ||
	    process->state == WEFT__PROCESS_KILLED) /* told when that was done */
		return;
	if (supervisor->stopping != WEFT__STOPPING_NOT)
		weft__supervisor_fail(supervisor, -ECHILD,
				      "worker %d (pid %d) %s while it drained",
				      process->index, (int)process->child.pid, how);
}

void weft__slot_on_end(struct weft__supervisor *supervisor, struct weft__process *process,
		       const struct weft__child_end *end)
{
	struct weft__slot *slot = process->slot;
	char how[END_BYTES];

	describe(supervisor, process, end, how, sizeof(how));
	if (!slot) {
		judge_leaving(supervisor, process, end, how);
		weft__tell_of(supervisor, WEFT__NEWS_LEFT, process, 0, "%s", how);
	} else if (process == slot->next) {
		on_next_ended(supervisor, slot, process, how);
	} else {
		on_current_ended(supervisor, slot, process, how);
	}
	weft__process_free(process);
	supervisor->n_processes--;
}

/* ---- Stop ---- */

static void release_slots(struct weft__supervisor *supervisor)
{
	supervisor->reloading = false;
	weft__program_close(&supervisor->reloaded);
	list_for_each (link, &supervisor->slots) {
		struct weft__slot *slot = list_entry(link, struct weft__slot, link);

		slot->start_at = WEFT_FOREVER;
		dismiss_next(slot);
		if (slot->current) {
			weft__process_is_last(slot->current);
			leave(slot->current);
		}
		slot->current = NULL;
	}
}

void weft__stop(struct weft__supervisor *supervisor, enum weft__stopping stopping)
{
	supervisor->stopping = stopping;
	supervisor->stop_asked_at = weft__clock();
	release_slots(supervisor);
	if (stopping == WEFT__STOPPING_DRAIN) {
		weft__tell(supervisor, WEFT__NEWS_STOPPING, -1,
			   "draining, for up to %.3g s",
			   seconds(supervisor->options.grace_ns));
		return;
	}
	weft__supervisor_fail(supervisor, -EINTR,
			      "told to leave at once: %zu worker%s cut off",
			      supervisor->n_processes,
			      supervisor->n_processes == 1 ? " was" : "s were");
	weft__tell(supervisor, WEFT__NEWS_STOPPING_AT_ONCE, -1, "leaving at once");
	list_for_each (link, &supervisor->processes) {
		struct weft__process *process =
			list_entry(link, struct weft__process, link);

		if (stopping == WEFT__STOPPING_AT_ONCE)
			weft__process_stop(process);
		else
			weft__process_kill(process);
	}
}
