/*
 * Signals as callbacks of a loop.
 *
 * The control thread receives a signal and posts the handler's message to its loop,
 * unless that is still on its way: signals that come together are one call. A handler
 * belongs to one loop and goes with it. Loop thread, but for relay(), which is the
 * control thread's.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <weft/signal.h>

#include "loop/control.h"
#include "loop/loop.h"
#include "loop/oneshot.h"

struct signal_handler {
	struct list link; /* in loop->signals */
	struct open_object open;
	char what[32]; /* of `open` */
	weft_loop *loop;
	int signo;
	weft_signal_callback *fn;
	void *arg;
	struct context *context; /* of who added it, with a reference */
	struct handle message;
	/*
	 * G1: true from relay() until the loop is done with the message, which it releases to
	 * the relay() that sends it again.
	 */
	atomic_bool on_its_way;
};

static void call(void *arg)
{
	struct signal_handler *handler = arg;

	handler->fn(handler->signo, handler->arg); /* may remove the handler */
}

static void run(void *arg)
{
	struct signal_handler *handler = arg;

	atomic_store_explicit(&handler->on_its_way, false, memory_order_release); /* G1 */
	if (handler->context)
		weft__context_call(weft__context_ref(handler->context), call, handler);
	else
		call(handler);
}

static void relay(int signo, void *arg)
{
	struct signal_handler *handler = arg;

	(void)signo;
	if (!atomic_exchange_explicit(&handler->on_its_way, true,
				      memory_order_acquire)) /* G1 */
		(void)weft__loop_post(handler->loop,
				      &handler->message); /* open: it removes us */
}

static struct signal_handler *find(weft_loop *loop, int signo)
{
	list_for_each (link, &loop->signals) {
		struct signal_handler *handler =
			list_entry(link, struct signal_handler, link);

		if (handler->signo == signo)
			return handler;
	}
	return NULL;
}

int weft_loop_add_signal_handler(weft_loop *loop, int signo, weft_signal_callback *fn,
				 void *arg)
{
	struct signal_handler *handler;
	int r = loop_check(loop, __func__);

	if (r < 0)
		return r;
	if (signo == SIGKILL || signo == SIGSTOP || signo == SIGCHLD || signo < 1)
		return weft_error_set(-EINVAL, "signal %d cannot be handled by a loop",
				      signo);
	handler = find(loop, signo);
	if (handler) {
		struct context *before = handler->context;

		handler->fn = fn;
		handler->arg = arg;
		handler->context = context_capture();
		weft__context_unref(before);
		return 0;
	}
	handler = weft__zalloc(sizeof(*handler));
	if (!handler)
		return -ENOMEM;
	handler->loop = loop;
	handler->signo = signo;
	handler->fn = fn;
	handler->arg = arg;
	handle_init(&handler->message, HANDLE_DIRECT, run, handler);
	r = weft__control_set_signal(signo, relay, handler);
	if (r < 0) {
		free(handler);
		return r == -EBUSY
			       ? weft_error_set(r, "signal %d is handled by another loop",
						signo)
			       : weft_error_set(r, "signal %d cannot be handled", signo);
	}
	handler->context = context_capture();
	list_push_back(&loop->signals, &handler->link);
	if (sigabbrev_np(signo))
		snprintf(handler->what, sizeof(handler->what), "a handler of SIG%s",
			 sigabbrev_np(signo));
	else
		snprintf(handler->what, sizeof(handler->what), "a handler of signal %d",
			 signo);
	loop_track(loop, &handler->open, handler->what, __builtin_return_address(0));
	return 0;
}

bool weft_loop_remove_signal_handler(weft_loop *loop, int signo)
{
	struct signal_handler *handler;

	if (loop_check(loop, __func__) < 0)
		return false;
	handler = find(loop, signo);
	if (!handler)
		return false;
	(void)weft__control_set_signal(signo, NULL, NULL); /* it was set */
	/* No relay() runs any more; one that did has posted. */
	if (handle_state(&handler->message) == HANDLE_POSTED) {
		weft__inbox_take(&loop->inbox);
		list_unlink(&handler->message.link);
	}
	list_unlink(&handler->link);
	loop_untrack(&handler->open);
	context_drop(&handler->context);
	free(handler);
	return true;
}

void weft__loop_remove_signals(weft_loop *loop)
{
	while (!list_is_empty(&loop->signals)) {
		struct list *link = loop->signals.next;

		struct signal_handler *handler =
			list_entry(link, struct signal_handler, link);

		weft__loop_report_open(loop, &handler->open);
		(void)weft_loop_remove_signal_handler(loop, handler->signo);
	}
}
