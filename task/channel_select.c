/*
 * Select: one of several puts and gets; channel.h says how it waits without two locks at once.
 *
 * First each case is tried in order. Only if none can be done it gets in line for all of them,
 * where each is looked at once more, under its lock: what became possible in between is done then.
 */
#include "task/channel.h"

static int check(const struct weft_channel_case *cases, size_t n_cases)
{
	int r = weft__channel_check_caller("weft_channel_select");

	if (r == 0 && n_cases == 0)
		r = weft_error_set(
			-EINVAL,
			"weft_channel_select() without a case would wait for ever");
	for (size_t i = 0; r == 0 && i < n_cases; i++)
		r = weft__channel_check_size(cases[i].channel, cases[i].size,
					     "weft_channel_select");
	return r;
}

static int try_one(const struct weft_channel_case *c)
{
	struct channel_wait *woken = NULL;
	int r;

	short_lock_take(&c->channel->lock);
	r = weft__channel_do(c->channel, c->put, c->item, &woken);
	short_lock_release(&c->channel->lock);
	weft__channel_wake(woken);
	return r;
}

int weft_channel_select(struct weft_channel_case *cases, size_t n_cases, size_t *chosen)
{
	int r = check(cases, n_cases);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_cases; i++) {
		r = try_one(&cases[i]);
		if (r != -EAGAIN) {
			*chosen = i;
			return r;
		}
	}
	return weft__channel_wait(cases, n_cases, "channel select", chosen);
}
