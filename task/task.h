/*
 * Tasks, inside the library; <weft/task.h> has the model for callers.
 *
 * A task block lies at the top of the task's own stack, so a task is one object and one
 * page. Everything in it belongs to the loop's thread; a dump on another thread reads it
 * as it stands and trusts nothing.
 *
 * Waiting. Whatever suspends a task goes through weft__park(), with a struct park on the
 * waiter's stack that says what for. Whoever ends the wait calls weft__unpark() with its
 * result, once; the task runs in the next turn. There is no second way to suspend.
 *
 * Cancelling. A request sets a mark where it came from: on the task (somebody else's), or
 * on one of its open scopes (a timeout that expired, a group that failed). The next wait,
 * or the one in progress, delivers all marks that a shield does not hold back, as one
 * -ECANCELED. A wait in progress is asked through park->cancel, which says what becomes
 * of it.
 */
#ifndef WEFT_TASK_TASK_H
#define WEFT_TASK_TASK_H

#include <weft/group.h>
#include <weft/task.h>

#include "base/error.h"
#include "loop/loop.h"
#include "task/fibre.h"
#include "task/stack.h"

/* What a wait in progress makes of a request to cancel it. */
enum cancel_answer {
	CANCEL_ENDS, /* it has left whatever queue it was in, and ends with -ECANCELED now
		      */
	CANCEL_PASSED, /* the request was passed on to what is waited for; the wait goes
			  on */
	CANCEL_LATER, /* it ends by itself soon, and its result says whether it was
			 cancelled */
};

struct park {
	const char *what; /* "sleep", for dumps; static */
	/* NULL: this wait cannot be cancelled. */
	enum cancel_answer (*cancel)(struct park *park);
	/*
	 * Who has to go on before this wait can end, as far as that is certain: for dumps,
	 * and for cycle.h. One of these, or none.
	 */
	weft_task *awaited; /* its end */
	struct lock *awaited_lock; /* its holder's release */
	struct group *awaited_group; /* the ends of its children */
	struct observer *awaited_all; /* the ends of the tasks that it observes */
	weft_future *awaited_future; /* for dumps: any future, whoever settles it */
	bool outlasts_cancel; /* being cancelled does not end the need for the above */
	weft_task *task;
	weft_time since; /* control_clock() when it began, for dumps */
	int result;
};

/* ---- Scopes ---- */

enum scope_kind { SCOPE_TIMEOUT, SCOPE_SHIELD, SCOPE_GROUP, SCOPE_AS_COMPLETED };

/* What timeouts, shields, groups and as_completed have in common; the innermost first. */
struct scope {
	struct scope *outer;
	weft_task *task;
	enum scope_kind kind;
	bool requested; /* it asked the task to end; taken back when the scope ends */
	bool pending; /* and that was not delivered yet */
	bool found_pending; /* somebody had asked before it was opened, and was still to come */
	int cancelling_before;
	unsigned told_before; /* task->n_told when it was opened */
	unsigned told_at; /* the delivery of its own mark */
};

enum task_state {
	TASK_FREE = 0, /* nobody's: its stack is in the pool */
	TASK_READY, /* queued, or about to be */
	TASK_RUNNING,
	TASK_WAITING,
	TASK_DONE, /* ended, and somebody still holds a reference */
};

enum { TASK_NAME_BYTES = 32 };

struct weft_task {
	struct carrier carrier; /* its context; first, see loop/context.h */
	/* In the first line: all that a switch needs. */
	void *sp;
	weft_loop *loop;
	uint64_t n_resumed; /* for dumps: has it run since? */
	/* From here up to `link` is what begins at zero with each task that lives here. */
	uint8_t state; /* enum task_state */
	bool cancel_pending; /* its own mark */
	bool was_seen; /* somebody has its result */
	bool is_main; /* its end stops the loop */
	bool has_unset_timeouts; /* perhaps: begun since it last left the CPU */
	uint16_t io_streak; /* operations in a row that did not wait */
	uint16_t references;
	int n_pending; /* marks not delivered, its own and its scopes' */
	int cancelling; /* requests not taken back */
	struct park *park; /* NULL unless waiting */
	struct scope *scopes;
	struct group *group; /* NULL: not a child */
	weft_future *future; /* made on first use; settles with the task */
	struct park *joiner; /* of the task that joins this one */
	void *value; /* of weft_return() */
	weft_destroy *destroy_value;
	const struct weft_error *error; /* the slot of the last failure */
	const struct weft_error *reason; /* of the cancellation that is pending */
	void *copied_arg;
	unsigned n_told; /* deliveries so far, from 1 */
	unsigned told_at; /* that of its own mark */
	int result;
	unsigned n_locks; /* that it holds */
	/* Its place: in the loop's list of tasks, or on the pool's free list. */
	struct list link;
	struct list sibling; /* in group->children */
	uint8_t stack_class;
	uint32_t freed_at; /* pool->epoch, while it is free */
	bool is_asked; /* wait.c: in its queue, by asked_next */
	weft_task *asked_next;
	uint64_t began_at; /* n_resumed then: it has run this task when there are more */
	weft_fn *fn;
	void *arg;
	const void *place; /* who spawned it */
	const void *
		name_of; /* function that it is named after, if it has no name of its own */
	struct handle spare; /* queues it when the ready ring is full */
	struct fibre fibre;
	char name[TASK_NAME_BYTES];
	struct slab *slab; /* that its stack is cut from */
	unsigned search_number; /* cycle.c: the last search that met it */
	weft_task *search_from, *search_next;
};

/* A call that a task wants to have made on the thread's own stack. */
struct stack_call {
	weft_fn *fn;
	void *arg;
	weft_task *task;
	int result;
};

/* What a loop keeps for its tasks. */
struct tasks {
	void *sp; /* of the loop's own stack, while a task runs */
	struct fibre fibre;
	struct stack_pool pool;
	struct handle trim; /* trim.c: the next look at free stacks */
	struct list alive; /* by link: all that have not ended */
	struct list called; /* local futures that had done-callbacks, by called_link */
	weft_task *leaving; /* who switched to the running task; NULL: the loop */
	struct stack_call *call;
	unsigned n_eager; /* spawns that wait for an eager task's first wait */
	uint64_t n_abandoned;
	unsigned n_searches; /* of cycle.c */
	uint64_t resumed_floor; /* n_resumed begins here on a stack that was trimmed: see lock.h */
	bool is_asking; /* wait.c: somebody empties the queue of those to be asked */
	weft_task *asked_first, *asked_last;
};

static inline struct tasks *tasks_of(const weft_loop *loop)
{
	return loop->tasks;
}

/* What a loop asks of its tasks. */
extern const struct loop_hooks weft__task_hooks;

/* How many have not ended. */
static inline uint32_t tasks_alive(const weft_loop *loop)
{
	return atomic_load_explicit(&loop->n_tasks, memory_order_relaxed);
}

/* The running task; NULL in a callback and on a plain thread. */
static inline weft_task *task_current(void)
{
	return weft__thread.task;
}

/* As task_current(), but explains in the name of `function` why there is none: -EPERM. */
int weft__task_none(const char *function);

/* ---- Waiting ---- */

/* The entry of the ready queue for a task; on the loop's own stack. */
void weft__resume(void *task);
/* The first frame of every stack. */
void weft__task_main(void *task);

/* What parking is made of: leaves the running task, and queues one that was left. */
void weft__suspend(weft_task *me);
void weft__make_ready(weft_task *task);
/* Queues the running task behind what is ready, and lets that run. */
void weft__pass_turn(weft_task *me);

/* Suspends the running task until weft__unpark(); returns the result given there. */
int weft__park(struct park *park);
void weft__unpark(struct park *park, int result);

/* Is there a mark that no shield holds back? */
bool weft__has_deliverable(const weft_task *task);
/* The marks that can be delivered now are; false if there are none. */
bool weft__deliver(weft_task *task);

/*
 * Before a wait is begun: 0, or -ECANCELED, which delivers the marks. Waits that end at once do
 * not ask.
 */
static inline int weft__cancel_point(weft_task *task)
{
	return unlikely(task->n_pending) && weft__deliver(task) ? -ECANCELED : 0;
}

/* A new mark, the task's own or the scope's: asks the wait in progress, if there is one.
 */
void weft__request_cancel(weft_task *task, struct scope *scope);
/* The request of a scope is taken back. */
void weft__take_back(struct scope *scope);
/*
 * What was delivered after delivery number `told_before` had no effect: these are marks again.
 * Those of scopes go with their scope, as always.
 */
void weft__put_back(weft_task *task, unsigned told_before);
/* At the end of a scope that asked its task to end: did nobody else ask for that -ECANCELED? */
bool weft__asked_alone(const struct scope *scope);

/* Is it a time limit that has not passed? */
bool weft__scope_may_expire(const struct scope *scope);

void weft__scope_open(struct scope *scope, enum scope_kind kind, weft_task *task);
/* Checks that it is the innermost one; `end` is the name of the public function. */
void weft__scope_close(struct scope *scope, enum scope_kind kind, const char *end);

const char *weft__scope_name(enum scope_kind kind);

/*
 * Sets the timers of the limits that the task has begun since it last left the CPU: before it
 * leaves it again, and before it sets another timer, which may be due at the same time.
 */
void weft__timeouts_set(weft_task *me);

static inline void set_timeouts(weft_task *me)
{
	if (unlikely(me->has_unset_timeouts))
		weft__timeouts_set(me);
}

/* ---- Tasks ---- */

/*
 * Makes a task and queues it, unless it is to be eager; `place` is who asked for it. One reference
 * for the caller if `keep`, none otherwise.
 */
int weft__task_new(weft_loop *loop, weft_fn *fn, void *arg,
		   const struct weft_spawn_options *options, const void *place, bool keep,
		   weft_task **out);
/* ---- Trimming ---- */

/* A stack is free, and nobody looks after them: from now on the loop does. Return: its stamp. */
uint32_t weft__trim_wake(weft_loop *loop);
/* One look, on the loop's own stack. */
void weft__trim_tick(weft_loop *loop);

/* ---- Running and ending ---- */

/* Runs an eager task up to its first wait, and comes back; it may be gone then. */
void weft__task_run_eagerly(weft_task *task);
void weft__task_unref(weft_task *task);
/* Of a task that has ended: a failure that no future, group or joiner will tell is reported. */
void weft__task_report_unseen(const weft_task *task);
/* One that has ended, at the end of its loop: whoever still holds it cannot ask it any more. */
void weft__task_give_up(weft_task *task);
/* The running task has returned: tells everybody. Its stack may run the next one. */
void weft__task_end(weft_task *task);
/* The name, also that of the function if it was given none. */
const char *weft__task_describe(const weft_task *task, char *buffer, size_t size);

#endif
