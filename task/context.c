/*
 * Context variables: the map that tasks, callbacks and jobs carry; loop/context.h says how.
 *
 * A map is an array of bindings, sorted by the address of the variable and never changed: setting
 * a variable makes a new map. A binding is a variable with a value, shared by all maps that hold
 * it, so the value goes with the last of them, on whatever thread that is. Looking up is a binary
 * search, setting copies the array: contexts are small, and read more often than written.
 *
 *   V3  a binding is given back, release: this map's use of the value; pairs with V4.
 *   V4  the last time, acquire: whoever destroys the value.
 */
#include <weft/task.h>

#include "loop/context.h"
#include "loop/loop.h"
#include "task/task.h"

struct binding {
	atomic_int references;
	const struct weft_context_var *var;
	void *value;
};

struct map {
	struct context shared; /* first: it is what others know of the map */
	size_t n;
	struct binding
		*bindings[]; /* by address of their variable, with a reference each */
};

static struct map *map_of(struct context *context)
{
	return container_of(context, struct map, shared);
}

static void unref_binding(struct binding *binding)
{
	/* V3. */
	if (atomic_fetch_sub_explicit(&binding->references, 1, memory_order_release) > 1)
		return;
	/* V4. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&binding->references, memory_order_acquire);
	if (binding->var->destroy)
		binding->var->destroy(binding->value);
	free(binding);
}

static void free_map(struct context *context)
{
	struct map *map = map_of(context);

	for (size_t i = 0; i < map->n; i++)
		unref_binding(map->bindings[i]);
	free(map);
}

/* Where the variable is in the map, or would be. */
static size_t find(const struct map *map, const struct weft_context_var *var)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)map->bindings[middle]->var < (uintptr_t)var)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct map *map, size_t i, const struct weft_context_var *var)
{
	return i < map->n && map->bindings[i]->var == var;
}

void *weft_context_get(const struct weft_context_var *var)
{
	struct context *context = context_current();
	size_t i;

	if (!context)
		return NULL;
	i = find(map_of(context), var);
	return is_at(map_of(context), i, var) ? map_of(context)->bindings[i]->value
					      : NULL;
}

static struct map *new_map(size_t n)
{
	struct map *map = weft__alloc(sizeof(*map) + n * sizeof(struct binding *));

	if (!map)
		return NULL;
	atomic_init(&map->shared.references, 1);
	map->shared.free = free_map;
	map->n = n;
	return map;
}

static struct binding *share(struct binding *binding)
{
	/* Relaxed: the map that it is copied from holds a reference. */
	atomic_fetch_add_explicit(&binding->references, 1, memory_order_relaxed);
	return binding;
}

/* The old map with `binding` in place of its variable's; or without the variable, if NULL. */
static struct map *change(const struct map *old, const struct weft_context_var *var,
			  struct binding *binding)
{
	size_t i = find(old, var);
	size_t after = i + is_at(old, i, var); /* what follows it */
	size_t at = i + (binding != NULL); /* where that goes */
	struct map *map = new_map(at + old->n - after);

	if (!map)
		return NULL;
	for (size_t k = 0; k < i; k++)
		map->bindings[k] = share(old->bindings[k]);
	if (binding)
		map->bindings[i] = binding;
	for (size_t k = after; k < old->n; k++)
		map->bindings[at++] = share(old->bindings[k]);
	return map;
}

/* NULL without memory. */
static struct binding *new_binding(const struct weft_context_var *var, void *value)
{
	struct binding *binding = weft__alloc(sizeof(*binding));

	if (!binding)
		return NULL;
	*binding = (struct binding){ .var = var, .value = value };
	atomic_init(&binding->references, 1);
	return binding;
}

/* The current context becomes another one. Return: 0, or -ENOMEM with nothing changed. */
static int set(struct context **place, const struct weft_context_var *var, void *value)
{
	static const struct map empty;
	struct context *old = *place;
	struct binding *binding = NULL;
	struct map *map;

	if (value) {
		binding = new_binding(var, value);
		if (!binding)
			return -ENOMEM;
	}
	map = change(old ? map_of(old) : &empty, var, binding);
	if (!map) {
		free(binding);
		return -ENOMEM;
	}
	*place = &map->shared;
	weft__context_unref(old); /* may call a destructor, which finds the new one */
	return 0;
}

int weft_context_set(const struct weft_context_var *var, void *value)
{
	weft_loop *loop = weft__thread.loop;
	const weft_task *me = task_current();

	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	if (!loop && !weft__thread.in_job)
		return weft_error_set(
			-EPERM,
			"weft_context_set() was called on a plain thread, where nothing "
			"would inherit it: call it in a task, a callback or a job");
	if (me && me->state == TASK_DONE)
		return weft_error_set(
			-EPERM,
			"weft_context_set() was called for a task that has ended, by what "
			"destroys its values: nobody would inherit it");
	if (loop && !me)
		loop_want_look(loop); /* takes it back when this callback has ended */
	return set(context_place(), var, value);
}
