/*
 * The peers; see peers.h.
 *
 * Those in C lie beside this program if their library was found when it was configured;
 * Python finds its own script among the sources; Go's is compiled beside this program on
 * first use. Main thread.
 */
#include "bench/peers.h"

#include "bench/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef BENCH_SOURCE_DIR
#error "define BENCH_SOURCE_DIR as the folder bench/ of the sources"
#endif

struct peer {
	const char *name;
	const char *benches; /* separated by spaces, with one before and behind */
	/* Fills the command up to the options. Return: false if it is not installed. */
	bool (*find)(const char *name, const char **argv);
};

/* A file beside this program. Static storage, overwritten by the next call. */
static const char *beside(const char *file)
{
	static char path[4096 + 64];
	const char *program = bench_program(), *slash = strrchr(program, '/');

	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - program), program, file);
	return path;
}

static const char *kept(const char *text)
{
	char *copy = weft__strdup(text);

	if (!copy)
		bench_die("no memory");
	return copy;
}

static bool find_program(const char *name, const char **argv)
{
	char file[64];

	snprintf(file, sizeof(file), "peer-%s", name);
	if (access(beside(file), X_OK) < 0)
		return false;
	argv[0] = kept(beside(file));
	return true;
}

static bool find_python(const char *name, const char **argv)
{
	static const char *const pythons[] = { "/usr/bin/python3", "python3" };
	char import[64];

	snprintf(import, sizeof(import), "import %s", name);
	for (size_t i = 0; i < ARRAY_SIZE(pythons); i++) {
		const char *test[] = { pythons[i], "-c", import, NULL };

		if (!bench_process_succeeds(test))
			continue;
		argv[0] = pythons[i];
		argv[1] = BENCH_SOURCE_DIR "/peers/peer.py";
		argv[2] = name;
		return true;
	}
	return false;
}

static bool is_older(const char *path, const char *than)
{
	struct stat a, b;

	return stat(path, &a) < 0 || (stat(than, &b) == 0 && a.st_mtime < b.st_mtime);
}

static bool find_go(const char *name, const char **argv)
{
	static const char source[] = BENCH_SOURCE_DIR "/peers/peer.go";
	const char *program = kept(beside("peer-go"));
	const char *build[] = { "go", "build", "-o", program, source, NULL };

	(void)name;
	if (is_older(program, source) && !bench_process_succeeds(build))
		return false;
	argv[0] = program;
	return true;
}

static bool find_nginx(const char *name, const char **argv)
{
	const char *test[] = { "nginx", "-v", NULL };

	(void)name;
	if (!bench_process_succeeds(test))
		return false;
	argv[0] = "sh";
	argv[1] = BENCH_SOURCE_DIR "/peers/nginx.sh";
	argv[2] = kept(beside("peer-nginx"));
	return true;
}

static const struct peer peers[] = {
	{ "libuv", " echo executor post timer ", find_program },
	{ "libevent", " echo http ", find_program },
	{ "asyncio", " call_soon echo executor http post spawn timer yield ",
	  find_python },
	{ "uvloop", " call_soon echo executor http post spawn timer yield ",
	  find_python },
	{ "go", " echo executor http memory post spawn timer yield ", find_go },
	{ "nginx", " http ", find_nginx },
};

void bench_peers_find(const char **names, size_t n_max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(peers) && n < n_max; i++) {
		const char *argv[BENCH_PEER_MAX_ARGS];

		if (peers[i].find(peers[i].name, argv))
			names[n++] = peers[i].name;
	}
}

static const struct peer *find_peer(const char *name, const char *bench)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", bench);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		if (strcmp(peers[i].name, name) == 0 && strstr(peers[i].benches, word))
			return &peers[i];
	}
	return NULL;
}

/* The command up to the options; asked of the system once for each peer. */
static size_t command_of(const struct peer *peer, const char **argv)
{
	static const char *commands[ARRAY_SIZE(peers)][BENCH_PEER_MAX_ARGS];
	const char **command = commands[peer - peers];
	size_t n = 0;

	if (!command[0] && !peer->find(peer->name, command))
		return 0;
	for (; command[n]; n++)
		argv[n] = command[n];
	return n;
}

bool bench_peer_sample_command(const char *name, const char *bench, const char *case_name,
			       const char *budget_ms, const char **argv)
{
	const struct peer *peer = find_peer(name, bench);
	size_t n = peer ? command_of(peer, argv) : 0;

	if (n == 0)
		return false;
	argv[n++] = "--sample";
	argv[n++] = bench;
	argv[n++] = case_name;
	argv[n++] = budget_ms;
	argv[n] = NULL;
	return true;
}

/* A port that was free a moment ago, for a server that cannot choose one. */
static const char *free_port(void)
{
	static char text[16];
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		bench_die("bind: %s", strerror(errno));
	(void)close(fd); /* only its number was wanted */
	snprintf(text, sizeof(text), "%d", ntohs(address.sin_port));
	return text;
}

bool bench_peer_serve_command(const char *name, const char *bench, const char **argv)
{
	const struct peer *peer = find_peer(name, bench);
	size_t n = peer ? command_of(peer, argv) : 0;

	if (n == 0)
		return false;
	if (peer->find == find_nginx) {
		argv[n++] = free_port();
	} else {
		argv[n++] = "--serve";
		argv[n++] = bench;
	}
	argv[n] = NULL;
	return true;
}
