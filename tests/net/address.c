/*
 * Addresses as text, both ways: net/address.c.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "tests/test.h"

Test(address, reads_and_shows_what_is_numeric)
{
	static const struct {
		const char *name, *text, *shown;
		int family;
	} cases[] = {
		{ "IPv4", "127.0.0.1:80", NULL, AF_INET },
		{ "port 0", "192.0.2.1:0", NULL, AF_INET },
		{ "highest port", "10.0.0.1:65535", NULL, AF_INET },
		{ "leading zeros in the port", "10.0.0.1:00080", "10.0.0.1:80", AF_INET },
		{ "IPv6", "[::1]:8080", NULL, AF_INET6 },
		{ "IPv6, all of it", "[2001:db8:1:2:3:4:5:6]:1", NULL, AF_INET6 },
		{ "IPv6, any", "[::]:0", NULL, AF_INET6 },
		{ "IPv6 by the number of an interface", "[fe80::1%1]:5", "[fe80::1%lo]:5",
		  AF_INET6 },
		{ "IPv6 by the name of an interface", "[fe80::1%lo]:5", NULL, AF_INET6 },
		{ "IPv4 inside IPv6", "[::ffff:192.0.2.7]:41", "192.0.2.7:41", AF_INET6 },
		{ "path", "unix:/run/app.sock", NULL, AF_UNIX },
		{ "path of one byte", "unix:a", NULL, AF_UNIX },
		{ "abstract", "unix:@app", NULL, AF_UNIX },
		{ "path with colons", "unix:/a:b://c", NULL, AF_UNIX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address address;
		char text[ADDRESS_TEXT_SIZE];

		cr_assert_eq(weft__address_parse(cases[i].text, &address), 0, "%s: %s",
			     cases[i].name, weft_error_text(-EINVAL));
		cr_expect_eq(address.kind, ADDRESS_SOCKET, "%s", cases[i].name);
		cr_expect_eq(address.socket.any.sa_family, cases[i].family, "%s",
			     cases[i].name);
		cr_expect_str_eq(weft__address_format(&address.socket.any, address.size,
						      text),
				 cases[i].shown ? cases[i].shown : cases[i].text, "%s",
				 cases[i].name);
	}
}

Test(address, knows_names_interfaces_and_descriptors)
{
	struct address address;

	cr_assert_eq(weft__address_parse("example.org:80", &address), 0);
	cr_expect_eq(address.kind, ADDRESS_NAME);
	cr_expect_str_eq(address.host, "example.org");
	cr_expect_eq(address.port, 80);
	cr_assert_eq(weft__address_parse("under_score-1.\xc3\xa9x.:7", &address), 0);
	cr_expect_eq(address.kind, ADDRESS_NAME);
	cr_assert_eq(weft__address_parse(":8080", &address), 0);
	cr_expect_eq(address.kind, ADDRESS_ANY);
	cr_expect_eq(address.port, 8080);
	cr_assert_eq(weft__address_parse("*:8081", &address), 0);
	cr_expect_eq(address.kind, ADDRESS_ANY);
	cr_expect_eq(address.port, 8081);
	cr_assert_eq(weft__address_parse("fd:3", &address), 0);
	cr_expect_eq(address.kind, ADDRESS_FD);
	cr_expect_eq(address.fd, 3);
}

Test(address, says_what_to_change)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "",
		  "the address is empty: write HOST:PORT, :PORT, unix:/PATH or fd:NUMBER" },
		{ "example.org",
		  "the address \"example.org\" has no port: write HOST:PORT, such as "
		  "\"localhost:8080\", or unix:/PATH or fd:NUMBER" },
		{ "a:http",
		  "the port of the address \"a:http\" is not a number from 0 to 65535" },
		{ "a:",
		  "the port of the address \"a:\" is not a number from 0 to 65535" },
		{ "a:65536",
		  "the port of the address \"a:65536\" is not a number from 0 to 65535" },
		{ "a:+1",
		  "the port of the address \"a:+1\" is not a number from 0 to 65535" },
		{ "[::1]:",
		  "the port of the address \"[::1]:\" is not a number from 0 to 65535" },
		{ "::1:80",
		  "the address \"::1:80\" has more than one colon: write an IPv6 address in "
		  "brackets, as \"[::1]:8080\"" },
		{ "[::1]",
		  "the address \"[::1]\" begins with a bracket: write an IPv6 address as "
		  "\"[::1]:8080\"" },
		{ "[::1",
		  "the address \"[::1\" begins with a bracket: write an IPv6 address as "
		  "\"[::1]:8080\"" },
		{ "[localhost]:1",
		  "what is in the brackets of the address \"[localhost]:1\" is not an IPv6 address" },
		{ "[127.0.0.1]:1",
		  "what is in the brackets of the address \"[127.0.0.1]:1\" is not an IPv6 address" },
		{ "[fe80::1%nosuch0]:1",
		  "the address \"[fe80::1%nosuch0]:1\" names a network "
		  "interface that this machine does not have" },
		{ "http://a:80",
		  "\"http://a:80\" is a URL: write the address in it as HOST:PORT" },
		{ "a b:80",
		  "the host of the address \"a b:80\" has a character that no host name has" },
		{ "a/b:80",
		  "the host of the address \"a/b:80\" has a character that no host name has" },
		{ "unix:",
		  "the address \"unix:\" has no path: write unix:/PATH or unix:@NAME" },
		{ "unix:@",
		  "the address \"unix:@\" has no path: write unix:/PATH or unix:@NAME" },
		{ "fd:x",
		  "\"fd:x\" does not name a descriptor: write its number, as \"fd:3\"" },
		{ "fd:-1",
		  "\"fd:-1\" does not name a descriptor: write its number, as \"fd:3\"" },
	};
	struct address address;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(weft__address_parse(cases[i].text, &address), -EINVAL, "%s",
			     cases[i].text);
		cr_expect_str_eq(weft_error_text(-EINVAL), cases[i].message);
	}
	cr_expect_eq(weft__address_parse(NULL, &address), -EINVAL);
}

Test(address, takes_the_longest_host_and_no_longer_one)
{
	char text[400];
	struct address address;

	memset(text, 'a', sizeof(text));
	strcpy(text + HOST_NAME_MAX_BYTES, ".:80");
	cr_expect_eq(weft__address_parse(text, &address), 0,
		     "253 bytes and a dot at the end");
	cr_expect_eq(strlen(address.host), HOST_NAME_MAX_BYTES + 1);
	memset(text, 'a', sizeof(text));
	strcpy(text + HOST_NAME_MAX_BYTES + 1, ":80");
	cr_expect_eq(weft__address_parse(text, &address), -ENAMETOOLONG);
	cr_expect_str_eq(weft_error_text(-ENAMETOOLONG),
			 "the host of an address has 254 bytes: a name has at most 253");
}

Test(address, takes_the_longest_path_and_no_longer_one)
{
	char text[200] = "unix:", shown[ADDRESS_TEXT_SIZE];
	struct address address;

	memset(text + 5, 'a', 107);
	text[5 + 107] = '\0';
	cr_assert_eq(weft__address_parse(text, &address), 0);
	cr_expect_str_eq(weft__address_format(&address.socket.any, address.size, shown),
			 text);
	text[5] = '@';
	cr_assert_eq(weft__address_parse(text, &address), 0);
	cr_expect_str_eq(weft__address_format(&address.socket.any, address.size, shown),
			 text);
	memset(text + 5, 'a', 108);
	text[5 + 108] = '\0';
	cr_expect_eq(weft__address_parse(text, &address), -ENAMETOOLONG);
	cr_expect_str_eq(
		weft_error_text(-ENAMETOOLONG),
		"the path of a Unix socket has 108 bytes, and may have 107: use a shorter "
		"one, or one relative to the working folder");
}

Test(address, shows_nothing_for_a_socket_without_a_name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[ADDRESS_TEXT_SIZE];

	cr_expect_str_eq(weft__address_format((struct sockaddr *)&un,
					      sizeof(un.sun_family), text),
			 "");
	cr_expect_str_eq(weft__address_format((struct sockaddr *)&un, 0, text), "");
}
