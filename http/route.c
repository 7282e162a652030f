/*
 * The table of routes. See http/route.h.
 *
 * A search visits each node at most once, since a node stands at one depth: what looks
 * like backtracking is bounded by the number of patterns, whatever the path is.
 */
#include "http/route.h"

struct http_route_node {
	char *text; /* of this segment; NULL in the root and for a name */
	struct http_route_node **texts; /* by size, then bytes */
	size_t n_texts;
	struct http_route_node *name;
	struct http_route *routes; /* of the patterns that end here */
	struct http_route *rests; /* of those that go on with {rest*} */
};

/* ---- Freeing ---- */

static void free_routes(struct http_route *route)
{
	struct http_route *next;

	for (; route; route = next) {
		next = route->next;
		for (int i = 0; i < route->n_names; i++)
			free(route->names[i]);
		free(route->method);
		free(route);
	}
}

static void free_node(struct http_route_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n_texts; i++)
		free_node(node->texts[i]);
	free_node(node->name);
	free_routes(node->routes);
	free_routes(node->rests);
	free(node->texts);
	free(node->text);
	free(node);
}

void weft__http_routes_fini(struct http_route_table *table)
{
	free_node(table->root);
	table->root = NULL;
}

/* ---- Segments of a path or pattern ---- */

/* The segment at `*at`, which moves behind the '/' after it; false at the end. */
static bool next_segment(const char *path, size_t size, size_t *at,
			 struct http_slice *segment)
{
	const char *slash;
	size_t end;

	if (*at > size)
		return false;
	slash = memchr(path + *at, '/', size - *at);
	end = slash ? (size_t)(slash - path) : size;
	*segment = http_slice_of(*at, end);
	*at = end + 1;
	return true;
}

static int compare_text(const char *a, size_t a_size, const char *b, size_t b_size)
{
	if (a_size != b_size)
		return a_size < b_size ? -1 : 1;
	return memcmp(a, b, a_size);
}

/* Where among node->texts it is, or would be. */
static size_t text_index(const struct http_route_node *node, const char *text,
			 size_t size, bool *is_there)
{
	size_t low = 0;
	size_t high = node->n_texts;

	*is_there = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *other = node->texts[middle]->text;
		int order = compare_text(text, size, other, strlen(other));

		if (!order) {
			*is_there = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The node below for a segment of a path; NULL if no pattern has that text there. */
static const struct http_route_node *find_text(const struct http_route_node *node,
					       const char *text, size_t size)
{
	char decoded[HTTP_ROUTE_TEXT_MAX];
	bool is_there;
	size_t i;

	if (memchr(text, '%', size)) {
		if (size > 3 * sizeof(decoded))
			return NULL;
		/* What does not fit is longer than any text. */
		for (i = 0; i < sizeof(decoded) && size; i++) {
			size_t n = *text == '%' ? 3 : 1;

			weft__http_percent_decode(decoded + i, text, n);
			text += n;
			size -= n;
		}
		if (size)
			return NULL;
		text = decoded;
		size = i;
	}
	i = text_index(node, text, size, &is_there);
	return is_there ? node->texts[i] : NULL;
}

/* ---- Building ---- */

static char *copy_text(const char *text, size_t size)
{
	char *copy = weft__alloc(size + 1);

	if (copy) {
		memcpy(copy, text, size);
		copy[size] = '\0';
	}
	return copy;
}

/* The node below for a text, made if it is not there. NULL without memory. */
static struct http_route_node *add_text(struct http_route_node *node, const char *text,
					size_t size)
{
	struct http_route_node **texts;
	struct http_route_node *below;
	bool is_there;
	size_t i = text_index(node, text, size, &is_there);

	if (is_there)
		return node->texts[i];
	texts = weft__realloc_array(node->texts, node->n_texts + 1,
				    sizeof(struct http_route_node *));
	if (!texts)
		return NULL;
	node->texts = texts;
	below = weft__zalloc(sizeof(*below));
	if (!below)
		return NULL;
	below->text = copy_text(text, size);
	if (!below->text) {
		free(below);
		return NULL;
	}
	memmove(texts + i + 1, texts + i,
		(node->n_texts - i) * sizeof(struct http_route_node *));
	texts[i] = below;
	node->n_texts++;
	return below;
}

/* "{name}" or "{name*}": which is it, or is it a text? */
enum segment_kind { SEGMENT_TEXT, SEGMENT_NAME, SEGMENT_REST, SEGMENT_BAD };

static enum segment_kind segment_kind(const char *text, size_t size,
				      struct http_slice *name)
{
	size_t end;

	if (!memchr(text, '{', size) && !memchr(text, '}', size))
		return size <= HTTP_ROUTE_TEXT_MAX ? SEGMENT_TEXT : SEGMENT_BAD;
	if (size < 3 || text[0] != '{' || text[size - 1] != '}')
		return SEGMENT_BAD;
	end = size - 1;
	if (text[end - 1] == '*')
		end--;
	if (end == 1 || http_span(text, 1, end, HTTP_HOST) != end)
		return SEGMENT_BAD;
	*name = http_slice_of(1, end);
	return end < size - 1 ? SEGMENT_REST : SEGMENT_NAME;
}

static int add_name(struct http_route *route, const char *text, size_t size,
		    const char **problem)
{
	*problem = "a pattern has the same name twice, or more than 16 names";
	for (int i = 0; i < route->n_names; i++)
		if (strlen(route->names[i]) == size &&
		    !memcmp(route->names[i], text, size))
			return -EINVAL;
	if (route->n_names == HTTP_ROUTE_PARAMS_MAX)
		return -EINVAL;
	route->names[route->n_names] = copy_text(text, size);
	if (!route->names[route->n_names])
		return -ENOMEM;
	route->n_names++;
	return 0;
}

/* Walks down the pattern, making what is missing, to the list that the route is for. */
static int place_route(struct http_route_node *node, const char *pattern,
		       struct http_route *route, struct http_route ***list,
		       const char **problem)
{
	size_t size = strlen(pattern);
	struct http_slice segment;
	struct http_slice name;
	enum segment_kind kind;
	size_t at = 1;
	int r;

	while (next_segment(pattern, size, &at, &segment)) {
		const char *text = pattern + segment.at;

		kind = segment_kind(text, segment.size, &name);
		if (kind == SEGMENT_BAD || (kind == SEGMENT_REST && at <= size)) {
			*problem =
				"a segment of a pattern is a text, {name}, or at the end {name*}";
			return -EINVAL;
		}
		if (kind == SEGMENT_TEXT) {
			node = add_text(node, text, segment.size);
			if (!node)
				return -ENOMEM;
			continue;
		}
		r = add_name(route, text + name.at, name.size, problem);
		if (r < 0)
			return r;
		if (kind == SEGMENT_REST) {
			*list = &node->rests;
			return 0;
		}
		if (!node->name)
			node->name = weft__zalloc(sizeof(*node->name));
		node = node->name;
		if (!node)
			return -ENOMEM;
	}
	*list = &node->routes;
	return 0;
}

/* Puts it at the end, unless its method is there. */
static int append_route(struct http_route **list, struct http_route *route,
			const char **problem)
{
	for (; *list; list = &(*list)->next) {
		if (!strcmp((*list)->method, route->method)) {
			*problem = "there is a route of this method and pattern already";
			return -EEXIST;
		}
	}
	*list = route;
	return 0;
}

int weft__http_routes_add(struct http_route_table *table, const char *method,
			  const char *pattern, http_route_fn *fn, void *arg,
			  const char **problem)
{
	struct http_route **list;
	struct http_route *route;
	int r;

	if (!weft__http_is_token(method) || pattern[0] != '/') {
		*problem =
			"a route has a method such as GET and a pattern that begins with /";
		return -EINVAL;
	}
	if (!table->root)
		table->root = weft__zalloc(sizeof(*table->root));
	route = weft__zalloc(sizeof(*route));
	if (!table->root || !route) {
		free(route);
		return -ENOMEM;
	}
	route->fn = fn;
	route->arg = arg;
	route->method = weft__strdup(method);
	r = route->method ? 0 : -ENOMEM;
	if (r == 0)
		r = place_route(table->root, pattern, route, &list, problem);
	if (r == 0)
		r = append_route(list, route, problem);
	if (r < 0)
		free_routes(route);
	return r;
}

/* ---- Finding ---- */

/* A walk along a path. `visit` sees each list of routes that fits, until it says true. */
struct walk {
	const char *path;
	size_t size;
	bool (*visit)(struct walk *walk, const struct http_route *routes);
	struct weft_bytes method;
	struct http_route_match *match;
	int n_params;
	char *allow;
	size_t allow_size;
};

static bool walk_from(struct walk *walk, const struct http_route_node *node, size_t at)
{
	size_t next = at;
	const struct http_route_node *below;
	struct http_slice segment;

	if (!next_segment(walk->path, walk->size, &next, &segment))
		return node->routes && walk->visit(walk, node->routes);

	below = find_text(node, walk->path + segment.at, segment.size);
	if (below && walk_from(walk, below, next))
		return true;

	if (node->name && segment.size) {
		walk->match->params[walk->n_params++] = segment;
		if (walk_from(walk, node->name, next))
			return true;
		walk->n_params--;
	}
	if (!node->rests)
		return false;
	walk->match->params[walk->n_params] = http_slice_of(at, walk->size);
	return walk->visit(walk, node->rests);
}

static bool method_is(struct weft_bytes method, const char *name)
{
	return method.size == strlen(name) && !memcmp(method.data, name, method.size);
}

/* The route for the method itself, or else the best of those that stand in for it. */
static bool visit_method(struct walk *walk, const struct http_route *route)
{
	const struct http_route *stand_in = NULL;
	bool is_head = method_is(walk->method, "HEAD");
	bool is_trace = method_is(walk->method, "TRACE");

	walk->match->is_known_path = true;
	for (; route; route = route->next) {
		if (method_is(walk->method, route->method)) {
			walk->match->route = route;
			return true;
		}
		if (is_head && !strcmp(route->method, "GET"))
			stand_in = route;
		else if (!is_trace && !stand_in && !strcmp(route->method, "*"))
			stand_in = route;
	}
	walk->match->route = stand_in;
	return stand_in;
}

void weft__http_routes_find(const struct http_route_table *table,
			    struct weft_bytes method, struct weft_bytes path,
			    struct http_route_match *match)
{
	struct walk walk = {
		.path = path.data,
		.size = path.size,
		.visit = visit_method,
		.method = method,
		.match = match,
	};

	match->route = NULL;
	match->is_known_path = false;
	if (table->root)
		(void)walk_from(&walk, table->root, 1);
}

/* ---- Allow ---- */

static bool has_method(const char *allow, const char *method)
{
	struct http_slice element;
	size_t at = 0;

	while (weft__http_list_next(allow, strlen(allow), &at, &element))
		if (strlen(method) == element.size &&
		    !memcmp(allow + element.at, method, element.size))
			return true;
	return false;
}

static void add_method(struct walk *walk, const char *method)
{
	size_t used = strlen(walk->allow);

	if (has_method(walk->allow, method) ||
	    used + strlen(method) + sizeof(", ") > walk->allow_size)
		return;
	if (used)
		strcpy(walk->allow + used, ", ");
	strcat(walk->allow, method);
}

static bool visit_allow(struct walk *walk, const struct http_route *route)
{
	for (; route; route = route->next) {
		if (!strcmp(route->method, "*"))
			continue;
		add_method(walk, route->method);
		if (!strcmp(route->method, "GET"))
			add_method(walk, "HEAD");
	}
	return false;
}

void weft__http_routes_allow(const struct http_route_table *table, struct weft_bytes path,
			     char *allow, size_t size)
{
	struct http_route_match match;
	struct walk walk = {
		.path = path.data,
		.size = path.size,
		.visit = visit_allow,
		.match = &match,
		.allow = allow,
		.allow_size = size,
	};

	allow[0] = '\0';
	if (table->root)
		(void)walk_from(&walk, table->root, 1);
}
