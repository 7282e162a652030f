/*
 * Look-ups: net/resolver.c.
 */
#include <weft/resolver.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>

#include <weft/timeout.h>

#include "net/address.h"
#include "tests/net/names.h"
#include "tests/net/net.h"

static const struct addrinfo stream_hints = { .ai_socktype = SOCK_STREAM };

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = -2;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* "127.0.0.1:80", of the n-th entry. */
static const char *text_of(const struct addrinfo *list, size_t n)
{
	static char text[ADDRESS_TEXT_SIZE];

	while (n-- && list)
		list = list->ai_next;
	return list ? weft__address_format(list->ai_addr, list->ai_addrlen, text)
		    : "none";
}

/* ---- Numbers ---- */

static int translates(void *arg)
{
	static const struct {
		const char *host, *service, *shown;
	} cases[] = {
		{ "127.0.0.1", "80", "127.0.0.1:80" },
		{ "127.0.0.1", NULL, "127.0.0.1:0" },
		{ "::1", "443", "[::1]:443" },
		{ "fe80::1%lo", "1", "[fe80::1%lo]:1" },
	};
	struct addrinfo *list;
	int n_threads = count_threads();

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(weft_getaddrinfo(cases[i].host, cases[i].service,
					      &stream_hints, &list),
			     0, "%s", cases[i].host);
		cr_expect_str_eq(text_of(list, 0), cases[i].shown);
		freeaddrinfo(list);
	}
	cr_assert_eq(weft_getaddrinfo(NULL, "80", &stream_hints, &list), 0);
	freeaddrinfo(list);
	cr_assert_eq(weft_getaddrinfo("192.0.2.1", "80", NULL, &list), 0,
		     "without hints");
	freeaddrinfo(list);
	cr_expect_eq(count_threads(), n_threads, "numbers need no thread");
	return 0;
}

Test(resolver, translates_numbers_on_the_spot)
{
	run_net(translates, NULL);
}

/* ---- Names ---- */

static int looks_up(void *arg)
{
	struct addrinfo *list;

	(void)arg;
	cr_assert_eq(weft_getaddrinfo("two.test", "80", &stream_hints, &list), 0);
	cr_expect_str_eq(text_of(list, 0), "127.0.0.2:80");
	cr_expect_str_eq(text_of(list, 1), "127.0.0.3:80");
	cr_expect_str_eq(text_of(list, 2), "none");
	freeaddrinfo(list);
	cr_assert_eq(weft_getaddrinfo("localhost", NULL, &stream_hints, &list), 0,
		     "by the C library");
	freeaddrinfo(list);
	return 0;
}

Test(resolver, looks_names_up)
{
	run_net(looks_up, NULL);
}

static int explains(void *arg)
{
	static const struct {
		const char *host;
		int code;
		const char *message;
	} cases[] = {
		{ "nosuch.test", -ENOENT, "no address is known for \"nosuch.test\"" },
		{ "again.test", -EAGAIN,
		  "no name server answered when \"again.test\" was looked "
		  "up: try again later" },
		{ "fail.test", -EIO, "the name server refused to look up \"fail.test\"" },
		{ "memory.test", -ENOMEM, NULL },
		{ "system.test", -EHOSTUNREACH,
		  "looking up \"system.test\" failed: No route to host" },
		{ "", -EINVAL, "an empty name cannot be looked up" },
		{ NULL, -EINVAL,
		  "weft_getaddrinfo() needs a host or a service to look up" },
	};
	struct addrinfo *list = NULL, wrong = { .ai_family = 12345 };
	char name[300];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(weft_getaddrinfo(cases[i].host, NULL, &stream_hints, &list),
			     cases[i].code, "%s", cases[i].host);
		if (cases[i].message)
			cr_expect_str_eq(weft_error_text(cases[i].code),
					 cases[i].message);
		cr_expect_null(list);
	}
	memset(name, 'a', sizeof(name));
	name[254] = '\0';
	cr_expect_eq(weft_getaddrinfo(name, NULL, &stream_hints, &list), -EINVAL);
	cr_expect_str_eq(weft_error_text(-EINVAL),
			 "a host name of 254 bytes cannot be looked up: it may have 253");
	cr_expect_eq(weft_getaddrinfo("127.0.0.1", NULL, &wrong, &list), -EINVAL);
	cr_expect_eq(weft_getaddrinfo("127.0.0.1", "nosuchservice", &stream_hints, &list),
		     -ENOENT);
	cr_expect_str_eq(weft_error_text(-ENOENT),
			 "the service asked for with \"127.0.0.1\" is not known");
	return 0;
}

Test(resolver, says_why_there_is_no_address)
{
	run_net(explains, NULL);
}

Test(resolver, is_for_tasks)
{
	struct addrinfo *list;
	struct sockaddr_in address = { .sin_family = AF_INET };
	char host[100];

	cr_expect_eq(weft_getaddrinfo("127.0.0.1", NULL, NULL, &list), -EPERM);
	cr_expect_eq(weft_getnameinfo((struct sockaddr *)&address, sizeof(address), host,
				      sizeof(host), NULL, 0, 0),
		     -EPERM);
}

/* ---- Slow ones ---- */

static bool is_waiting(void *arg)
{
	return names_waiting() >= *(int *)arg;
}

static int look_up_gate(void *arg)
{
	struct addrinfo *list;
	int r = weft_getaddrinfo("gate.test", "1", &stream_hints, &list);

	(void)arg;
	if (r == 0)
		freeaddrinfo(list);
	return r;
}

static int does_not_block(void *arg)
{
	weft_task *task;
	int one = 1;

	(void)arg;
	cr_assert_eq(weft_spawn(look_up_gate, NULL, &task), 0);
	await_true(is_waiting, &one, "the look-up runs");
	cr_expect_eq(weft_sleep(WEFT_MSEC), 0, "and the loop, too");
	names_open_gate();
	cr_expect_eq(weft_task_join(task), 0);
	return 0;
}

Test(resolver, lets_the_loop_go_on)
{
	run_net(does_not_block, NULL);
}

static bool has_ended(void *arg)
{
	return names_ended() == *(int *)arg;
}

static int name_gate(void *arg)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f00004d),
	};
	char host[NI_MAXHOST];

	(void)arg;
	return weft_getnameinfo((struct sockaddr *)&address, sizeof(address), host,
				sizeof(host), NULL, 0, 0);
}

static int gives_up(void *arg)
{
	weft_task *tasks[4];
	int n = 4;

	(void)arg;
	for (int i = 0; i < n; i++)
		cr_assert_eq(
			weft_spawn(i % 2 ? name_gate : look_up_gate, NULL, &tasks[i]), 0);
	await_true(is_waiting, &n, "the look-ups run");
	for (int i = 0; i < n; i++) {
		(void)weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED,
			     "it does not wait for them");
	}
	names_open_gate();
	await_true(has_ended, &n, "they go on with memory of their own");
	return 0;
}

Test(resolver, gives_up_on_the_answer_when_cancelled)
{
	run_net(gives_up, NULL);
}

static int takes_too_long(void *arg)
{
	weft_time begun = weft_now();

	(void)arg;
	cr_expect_eq(look_up_gate(NULL), -ETIMEDOUT);
	cr_expect_str_eq(
		weft_error_text(-ETIMEDOUT),
		"no name server answered within 5 s when \"gate.test\" was looked up");
	cr_expect_ge(weft_now() - begun, 5 * WEFT_SEC);
	names_open_gate();
	return 0;
}

Test(resolver, gives_up_after_five_seconds)
{
	run_net(takes_too_long, NULL);
}

static int look_up_and_end(void *arg)
{
	weft_task *task;
	int one = 1;

	(void)arg;
	cr_assert_eq(weft_spawn(look_up_gate, NULL, &task), 0);
	await_true(is_waiting, &one, "the look-up runs");
	weft_task_detach(task);
	return 0;
}

Test(resolver, does_not_keep_a_loop_from_closing)
{
	reports_begin();
	run_net(look_up_and_end, NULL);
	cr_expect_str_eq(reports_end(), "");
	names_open_gate();
}

/* ---- Back to names ---- */

static int names_addresses(void *arg)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(80),
		.sin_addr.s_addr = htonl(0x7f00004e),
	};
	const struct sockaddr *of = (const struct sockaddr *)&address;
	char host[NI_MAXHOST], service[NI_MAXSERV];
	int n_threads = count_threads();

	(void)arg;
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, sizeof(host), service,
				      sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
		     0);
	cr_expect_str_eq(host, "127.0.0.78");
	cr_expect_str_eq(service, "80");
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, 5, NULL, 0,
				      NI_NUMERICHOST),
		     -EMSGSIZE);
	cr_expect_eq(count_threads(), n_threads, "numbers need no thread");
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, sizeof(host), NULL, 0,
				      NI_NAMEREQD),
		     -ENOENT);
	cr_expect_str_eq(weft_error_text(-ENOENT),
			 "no name is known for the address 127.0.0.78:80");
	address.sin_addr.s_addr = htonl(0x7f00004c);
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, sizeof(host), service,
				      sizeof(service), NI_NUMERICSERV),
		     0);
	cr_expect_str_eq(host, "gate.test");
	cr_expect_str_eq(service, "80");
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, 9, NULL, 0, 0),
		     -EMSGSIZE);
	cr_expect_str_eq(weft_error_text(-EMSGSIZE),
			 "the name \"gate.test\" does not fit into 9 bytes");
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), host, 10, NULL, 0, 0), 0);
	cr_expect_eq(weft_getnameinfo(of, sizeof(address), NULL, 0, NULL, 0, 0), -EINVAL);
	cr_expect_eq(weft_getnameinfo(of, 3, host, sizeof(host), NULL, 0, NI_NUMERICHOST),
		     -EINVAL);
	return 0;
}

Test(resolver, names_addresses)
{
	run_net(names_addresses, NULL);
}

/* ---- No memory ---- */

static int has_no_memory(void *arg)
{
	struct addrinfo *list;
	long nth = 0;
	int r;

	(void)arg;
	do {
		weft__fail_allocation(++nth);
		r = weft_getaddrinfo("two.test", NULL, &stream_hints, &list);
		weft__fail_allocation(0);
		cr_expect(r == 0 || r == -ENOMEM, "allocation %ld: %d", nth, r);
	} while (r < 0);
	cr_expect_gt(nth, 1);
	freeaddrinfo(list);
	return 0;
}

Test(resolver, survives_a_lack_of_memory)
{
	run_net(has_no_memory, NULL);
}
