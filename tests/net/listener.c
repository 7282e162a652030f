/*
 * Listening sockets: net/listener.c.
 */
#include "net/listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "tests/net/names.h"
#include "tests/net/net.h"

static bool answers(const char *text)
{
	struct address address;
	bool is_connected;
	int fd;

	cr_assert_eq(weft__address_parse(text, &address), 0);
	fd = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_connected = connect(fd, &address.socket.any, address.size) == 0;
	close(fd);
	return is_connected;
}

/* "unix:/.../NAME" in the scratch folder of the test run. */
static const char *path_address(const char *name)
{
	static char text[ADDRESS_TEXT_SIZE];
	const char *folder = getenv("TMPDIR");

	cr_assert_lt(snprintf(text, sizeof(text), "unix:%s/%s-%d",
			      folder ? folder : "/tmp", name, getpid()),
		     (int)sizeof(text));
	return text;
}

static int open_default(struct listener *listener, const char *address)
{
	return weft__listener_open(listener, address, 0, 1, false);
}

/* ---- Addresses ---- */

static int listens(void *arg)
{
	static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", "127.0.0.9:0",
						 "unix:@weft-test-listener" };
	struct listener listener;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		cr_assert_eq(open_default(&listener, addresses[i]), 0, "%s",
			     addresses[i]);
		cr_expect_neq(listener.text[strlen(listener.text) - 2], ':',
			      "%s: a real port", listener.text);
		cr_expect_eq(fcntl(listener.fds[0], F_GETFD), FD_CLOEXEC);
		cr_expect(fcntl(listener.fds[0], F_GETFL) & O_NONBLOCK);
		cr_expect(answers(listener.text), "%s", listener.text);
		weft__listener_refuse(&listener, false);
		cr_expect(!answers(listener.text), "%s", listener.text);
		weft__listener_close(&listener);
		weft__listener_close(&listener);
	}
	return 0;
}

Test(listener, listens_until_it_refuses)
{
	run_net(listens, NULL);
}

static int listens_everywhere(void *arg)
{
	static const char *const texts[] = { ":0", "*:0", "[::]:0" };
	struct listener listener;
	char text[2 * ADDRESS_TEXT_SIZE];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(open_default(&listener, texts[i]), 0);
		cr_expect_eq(strncmp(listener.text, "[::]:", 5), 0, "%s", listener.text);
		snprintf(text, sizeof(text), "127.0.0.1:%s", listener.text + 5);
		cr_expect(answers(text), "IPv4, too");
		snprintf(text, sizeof(text), "[::1]:%s", listener.text + 5);
		cr_expect(answers(text));
		weft__listener_close(&listener);
	}
	cr_assert_eq(open_default(&listener, "[::1]:0"), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%s", strrchr(listener.text, ':') + 1);
	cr_expect(!answers(text), "one address is no more than that");
	weft__listener_close(&listener);
	return 0;
}

Test(listener, listens_on_all_interfaces)
{
	run_net(listens_everywhere, NULL);
}

static int listens_on_names(void *arg)
{
	struct listener listener;
	char text[2 * ADDRESS_TEXT_SIZE];
	const char *port;

	(void)arg;
	cr_assert_eq(open_default(&listener, "mixed.test:0"), 0);
	cr_expect_eq(listener.n_fds, 3);
	port = strrchr(listener.text, ':') + 1;
	snprintf(text, sizeof(text), "127.0.0.2:%s", port);
	cr_expect(answers(text), "the same port on each");
	snprintf(text, sizeof(text), "127.0.0.3:%s", port);
	cr_expect(answers(text));
	snprintf(text, sizeof(text), "[::1]:%s", port);
	cr_expect(answers(text));
	weft__listener_close(&listener);
	cr_assert_eq(open_default(&listener, "twice.test:0"), 0);
	cr_expect_eq(listener.n_fds, 1, "what is said twice is meant once");
	weft__listener_close(&listener);
	return 0;
}

Test(listener, listens_on_all_addresses_of_a_name)
{
	run_net(listens_on_names, NULL);
}

static int has_copies(void *arg)
{
	struct listener listener, other;
	const int *first, *second;
	size_t n;

	(void)arg;
	cr_assert_eq(weft__listener_open(&listener, "two.test:0", 0, 3, true), 0);
	cr_expect_eq(listener.n_fds, 6);
	first = listener_copy(&listener, 0, &n);
	cr_expect_eq(n, 2);
	second = listener_copy(&listener, 4, &n);
	cr_expect_eq(second - first, 2, "counted modulo their number");
	for (size_t i = 0; i < listener.n_fds; i++)
		cr_expect_eq(weft__socket_option(listener.fds[i], SO_REUSEPORT), 1);
	cr_expect_eq(weft__listener_open(&other, listener.text, 0, 1, false),
		     -EADDRINUSE);
	cr_assert_eq(weft__listener_open(&other, listener.text, 0, 1, true), 0,
		     "others may join");
	weft__listener_close(&other);
	weft__listener_close(&listener);
	return 0;
}

Test(listener, has_copies_for_loops)
{
	run_net(has_copies, NULL);
}

/* ---- Errors ---- */

static int explains(void *arg)
{
	struct listener listener, other;
	char expected[200];
	int n = count_descriptors();

	(void)arg;
	cr_assert_eq(open_default(&listener, "127.0.0.1:0"), 0);
	cr_expect_eq(open_default(&other, listener.text), -EADDRINUSE);
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: the address is in use already", listener.text);
	cr_expect_str_eq(weft_error_text(-EADDRINUSE), expected);
	weft__listener_close(&listener);
	cr_expect_eq(open_default(&other, "192.0.2.1:80"), -EADDRNOTAVAIL);
	cr_expect_str_eq(
		weft_error_text(-EADDRNOTAVAIL),
		"cannot listen on 192.0.2.1:80: Cannot assign requested address");
	cr_expect_eq(open_default(&other, "nosuch.test:80"), -ENOENT);
	cr_expect_eq(open_default(&other, "unix:/nosuch/socket"), -ENOENT);
	cr_expect_str_eq(
		weft_error_text(-ENOENT),
		"cannot listen on unix:/nosuch/socket: No such file or directory");
	cr_expect_eq(weft__listener_open(&other, "unix:@weft-test", 0, 2, true), -EINVAL);
	cr_expect_str_eq(weft_error_text(-EINVAL),
			 "\"unix:@weft-test\" cannot have a socket for "
			 "each loop: set .reuse_port for TCP only");
	cr_expect_eq(open_default(&other, "fd:987"), -EBADF);
	cr_expect_str_eq(
		weft_error_text(-EBADF),
		"cannot listen on descriptor 987: it is not an open stream socket");
	cr_expect_eq(open_default(&other, "nonsense"), -EINVAL);
	cr_expect_eq(count_descriptors(), n, "nothing stays open");
	return 0;
}

Test(listener, says_why_it_cannot_listen)
{
	run_net(explains, NULL);
}

static int needs_rights(void *arg)
{
	struct listener listener;

	(void)arg;
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(open_default(&listener, "127.0.0.1:81"), -EACCES);
	cr_expect_str_eq(
		weft_error_text(-EACCES),
		"cannot listen on 127.0.0.1:81: ports below 1024 are for root, or for who "
		"has CAP_NET_BIND_SERVICE");
	cr_assert_eq(seteuid(0), 0);
	return 0;
}

Test(listener, says_who_may_use_low_ports)
{
	char text[16] = "";
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");

	if (geteuid() != 0)
		cr_skip_test("needs root, to give it up");
	cr_assert(file && fgets(text, sizeof(text), file));
	fclose(file);
	if (atoi(text) <= 81)
		cr_skip_test("here low ports are for everybody");
	run_net(needs_rights, NULL);
}

/* ---- Paths ---- */

static int makes_a_path(void *arg)
{
	const char *address = path_address("new");
	struct listener listener;
	struct stat status;

	(void)arg;
	(void)umask(0);
	cr_assert_eq(open_default(&listener, address), 0);
	cr_expect_str_eq(listener.text, address);
	cr_assert_eq(lstat(address + 5, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600, "%o", status.st_mode);
	cr_expect(answers(address));
	weft__listener_refuse(&listener, false);
	cr_expect_lt(lstat(address + 5, &status), 0, "it is gone");
	weft__listener_close(&listener);
	return 0;
}

Test(listener, makes_a_path_for_its_user_and_removes_it)
{
	run_net(makes_a_path, NULL);
}

static int replaces_what_is_stale(void *arg)
{
	const char *address = path_address("stale");
	struct listener first, second;
	struct stat status;

	(void)arg;
	cr_assert_eq(open_default(&first, address), 0);
	cr_expect_eq(open_default(&second, address), -EADDRINUSE,
		     "somebody listens there");
	cr_expect(answers(address), "and still does");
	close(first.fds[0]); /* as a process that was killed leaves it */
	first.n_fds = 0;
	free(first.path);
	first.path = NULL;
	cr_assert_eq(lstat(address + 5, &status), 0);
	cr_assert_eq(open_default(&second, address), 0, "nobody listens there any more");
	cr_expect(answers(address));
	weft__listener_close(&first);
	weft__listener_close(&second);
	cr_expect_lt(lstat(address + 5, &status), 0);
	return 0;
}

Test(listener, replaces_a_path_that_is_dead)
{
	run_net(replaces_what_is_stale, NULL);
}

static int keeps_files(void *arg)
{
	const char *address = path_address("file");
	struct listener listener;
	struct stat status;
	int fd = open(address + 5, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	(void)arg;
	cr_assert_ge(fd, 0);
	close(fd);
	cr_expect_eq(open_default(&listener, address), -EADDRINUSE);
	cr_assert_eq(lstat(address + 5, &status), 0);
	cr_expect(S_ISREG(status.st_mode));
	cr_assert_eq(unlink(address + 5), 0);
	return 0;
}

Test(listener, never_replaces_what_is_no_socket)
{
	run_net(keeps_files, NULL);
}

static int leaves_other_paths(void *arg)
{
	const char *address = path_address("moved");
	struct listener first, second;

	(void)arg;
	cr_assert_eq(open_default(&first, address), 0);
	cr_assert_eq(unlink(address + 5), 0);
	cr_assert_eq(open_default(&second, address), 0);
	weft__listener_close(&first);
	cr_expect(answers(address), "what lies there now is somebody else's");
	weft__listener_close(&second);
	return 0;
}

Test(listener, removes_its_own_path_only)
{
	run_net(leaves_other_paths, NULL);
}

/* ---- Descriptors ---- */

static int takes_descriptors(void *arg)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct listener listener;
	char text[20];
	int fd;

	(void)arg;
	for (int is_listening = 0; is_listening < 2; is_listening++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
		if (is_listening)
			cr_assert_eq(listen(fd, 5), 0);
		snprintf(text, sizeof(text), "fd:%d", fd);
		cr_assert_eq(open_default(&listener, text), 0);
		cr_expect(answers(listener.text));
		cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
		weft__listener_refuse(&listener, false);
		cr_expect(answers(listener.text), "others may accept from it");
		weft__listener_close(&listener);
		cr_expect_ge(fcntl(fd, F_GETFD), 0, "it is not ours yet");
		close(fd);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(text, sizeof(text), "fd:%d", fd);
	cr_expect_eq(open_default(&listener, text), -EINVAL);
	close(fd);
	return 0;
}

Test(listener, takes_a_socket_that_is_there)
{
	run_net(takes_descriptors, NULL);
}

/* ---- No memory ---- */

static int has_no_memory(void *arg)
{
	static const char *const addresses[] = { "127.0.0.1:0", "two.test:0", NULL };
	int n = count_descriptors();

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		const char *address =
			addresses[i] ? addresses[i] : path_address("memory");
		struct listener listener;
		long nth = 0;
		int r;

		do {
			weft__fail_allocation(++nth);
			r = open_default(&listener, address);
			weft__fail_allocation(0);
			cr_expect(r == 0 || r == -ENOMEM, "%s, allocation %ld: %d",
				  address, nth, r);
		} while (r < 0);
		cr_expect_gt(nth, 1);
		weft__listener_close(&listener);
	}
	/* The name server's thread has none of its own. */
	cr_expect_eq(count_descriptors(), n);
	return 0;
}

Test(listener, survives_a_lack_of_memory)
{
	run_net(has_no_memory, NULL);
}
