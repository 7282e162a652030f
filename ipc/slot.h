/*
 * The slots of a supervisor: who serves in them, who is to, and when to start somebody.
 *
 * Policy only: restarts, replacements, reloads, more and less workers, stopping. The
 * state of the whole supervisor is declared here, since its parts share it;
 * ipc/supervisor.c runs it. The supervisor's thread.
 */
#ifndef WEFT_IPC_SLOT_H
#define WEFT_IPC_SLOT_H

#include "ipc/launch.h"
#include "ipc/news.h"
#include "ipc/process.h"
#include "ipc/signals.h"

#include <poll.h>

struct weft__slot {
	struct list link; /* supervisor->slots, which owns it; in the order of .index */
	int index;
	struct weft__process *current; /* serves, or is about to; NULL: none runs */
	struct weft__process *next; /* is to take the place of current; mostly NULL */
	struct weft__backoff backoff;
	weft_time start_at; /* when to start current, or next if that was asked for */
};

enum weft__stopping {
	WEFT__STOPPING_NOT,
	WEFT__STOPPING_DRAIN,
	WEFT__STOPPING_AT_ONCE,
	WEFT__STOPPING_KILL,
};

struct weft__supervisor {
	struct weft__supervisor_options options; /* with the defaults filled in */
	struct weft__launch launch;
	struct list slots; /* struct weft__slot, by link */
	struct list processes; /* struct weft__process, by link; also those that leave */
	size_t n_processes;
	int n_slots;
	int n_wanted; /* slots there are to be; followed while nothing is reloaded */
	unsigned generation;
	struct weft__program program; /* what this generation runs */
	struct weft__program reloaded; /* what the next one runs, while reloading */
	bool reloading;
	bool reload_wanted;
	bool ever_ready; /* has any worker ever been? */
	bool ever_all_ready; /* has that been told? */
	enum weft__stopping stopping;
	weft_time stop_asked_at; /* when .stopping last changed */
	int result; /* of weft__supervisor_run() */
	char result_text[512];
	struct weft__signals signals;
	struct pollfd *polls; /* owned */
	size_t n_polls_max;
	struct weft__control_message message; /* room for the one at hand */
};

/* ---- Slots ---- */

/* Return: 0 or -ENOMEM. */
int weft__slot_add(struct weft__supervisor *supervisor);
/* The last one; whoever serves there is told to leave. */
void weft__slot_remove(struct weft__supervisor *supervisor);

/* The time to start somebody has come. */
void weft__slot_start(struct weft__supervisor *supervisor, struct weft__slot *slot);

/* What happened to a process. They look for its slot themselves. */
void weft__slot_on_ready(struct weft__supervisor *supervisor,
			 struct weft__process *process);
void weft__slot_on_retire(struct weft__supervisor *supervisor,
			  struct weft__process *process);
/* It could not be made to serve (late, broken); it is on its way out. */
void weft__slot_on_failure(struct weft__supervisor *supervisor,
			   struct weft__process *process, const char *why);
/* It has ended and was reaped; frees it. */
void weft__slot_on_end(struct weft__supervisor *supervisor, struct weft__process *process,
		       const struct weft__child_end *end);

/* ---- All of them ---- */

void weft__reload_begin(struct weft__supervisor *supervisor);
/* Each process takes one step further on its way out. */
void weft__stop(struct weft__supervisor *supervisor, enum weft__stopping stopping);

#endif
