/*
 * Say something to an echo server, and print what it answers.
 *
 * The end of what we write is not the end of the conversation: weft_stream_write_eof()
 * tells the server that no more will come, and the answer can still be read. A limit of
 * five seconds covers all of it, the look-up of the name included.
 *
 *	./echo_client HOST:PORT MESSAGE
 */
#include <stdio.h>
#include <weft/weft.h>

static int talk(weft_stream *stream, const char *message)
{
	char answer[1024];
	ssize_t n;
	int r;

	r = weft_stream_write(stream, message, strlen(message));
	if (r == 0)
		r = weft_stream_write_eof(stream);
	if (r < 0)
		return r;

	while ((n = weft_stream_read(stream, answer, sizeof(answer))) > 0)
		printf("%.*s", (int)n, answer);
	printf("\n");
	return (int)n;
}

static int app(void *arg)
{
	char **argv = arg;
	weft_stream *stream;
	int r, closed;

	r = weft_connect(argv[1], NULL, &stream);
	if (r < 0)
		return weft_error_wrap(r, "cannot reach %s", argv[1]);

	r = talk(stream, argv[2]);
	closed = weft_stream_close(stream);
	return r < 0 ? r : closed;
}

static int app_in_time(void *arg)
{
	return weft_wait_for(app, arg, 5 * WEFT_SEC);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s HOST:PORT MESSAGE\n", argv[0]);
		return 2;
	}
	return weft_exit_status(weft_run(app_in_time, argv));
}

/*
 * Output, with a server to talk to, and without:
 *
 *	$ ./echo_server --port 8888 &
 *	listening on 127.0.0.1:8888
 *	$ ./echo_client 127.0.0.1:8888 hello
 *	hello
 *	$ kill -INT %1
 *	$ ./echo_client 127.0.0.1:8888 hello
 *	echo_client: cannot reach 127.0.0.1:8888
 *	  because: cannot connect to 127.0.0.1:8888: Connection refused
 *	$ echo $?
 *	1
 */
