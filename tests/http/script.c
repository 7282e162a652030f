/*
 * Servers that follow a script. See tests/http/script.h.
 */
#include "tests/http/script.h"

#include <stdio.h>

/* Reads a request, head and body, into script->last; 0 at the end of the stream. */
static ssize_t read_request(struct script *script, weft_stream *stream)
{
	size_t size = 0;
	size_t wanted = SIZE_MAX;
	const char *end;
	const char *length;
	ssize_t n;

	while (size < wanted) {
		char *room = script->last + size;

		n = weft_stream_read(stream, room,
				     MIN(sizeof(script->last) - 1 - size, wanted - size));
		if (n <= 0)
			return n;
		size += (size_t)n;
		script->last[size] = '\0';
		end = strstr(script->last, "\r\n\r\n");
		if (!end)
			continue;
		length = strstr(script->last, "\r\nContent-Length: ");
		wanted = (size_t)(end + 4 - script->last);
		if (length && !script->is_deaf)
			wanted += strtoul(length + strlen("\r\nContent-Length: "), NULL,
					  10);
	}
	return 1;
}

static int play(weft_stream *stream, void *arg)
{
	struct script *script = arg;
	const struct step *step;
	int r = 0;

	script->n_connections++;
	script->n_open++;
	script->n_open_max = MAX(script->n_open_max, script->n_open);
	for (;;) {
		if (read_request(script, stream) <= 0)
			break;
		step = &script->steps[script->n_requests++];
		r = weft_sleep(script->delay_ns);
		if (r == 0 && step->reply)
			r = weft_stream_write(stream, step->reply,
					      step->size ? step->size
							 : strlen(step->reply));
		if (r < 0 || step->closes || !step->reply)
			break;
	}
	script->n_open--;
	return r;
}

void script_begin(struct script *script, const struct step *steps)
{
	*script = (struct script){ .steps = steps };
	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, play, script, &script->server), 0);
	snprintf(script->host, sizeof(script->host), "%s",
		 weft_server_address(script->server));
}

void script_end(struct script *script)
{
	(void)weft_server_close(script->server, 10 * WEFT_SEC);
}

/* ---- Fetching ---- */

weft_http_client *client_of(const struct weft_http_client_options *options)
{
	weft_http_client *client;

	cr_assert_eq(weft_http_client_new(options, &client), 0);
	return client;
}

int fetch_with(weft_http_client *client, const struct script *script, const char *method,
	       const char *path, const struct weft_http_fetch_options *options,
	       weft_http_response **response)
{
	char url[256];

	snprintf(url, sizeof(url), "http://%s%s", script->host, path);
	return weft_http_fetch(client, method, url, options, response);
}

int get(weft_http_client *client, const struct script *script, const char *path,
	char *text, size_t size)
{
	weft_http_response *response;
	struct weft_bytes body;
	int r = fetch_with(client, script, "GET", path, NULL, &response);

	text[0] = '\0';
	if (r < 0)
		return r;
	r = weft_http_response_body(response, size - 1, &body);
	if (r == 0) {
		memcpy(text, body.data, body.size);
		text[body.size] = '\0';
		r = weft_http_response_status(response);
	}
	weft_http_response_free(response);
	return r;
}
