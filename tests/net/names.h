/*
 * Names that the tests make up: getaddrinfo() and getnameinfo() of this program answer for them,
 * and pass on everything else.
 *
 *	two.test     127.0.0.2, 127.0.0.3, in this order
 *	mixed.test   ::1, 127.0.0.2, 127.0.0.3
 *	many.test    127.0.0.2 ... 127.0.0.21
 *	twice.test   127.0.0.2, 127.0.0.2
 *	again.test   EAI_AGAIN
 *	fail.test    EAI_FAIL
 *	system.test  EAI_SYSTEM, EHOSTUNREACH
 *	memory.test  EAI_MEMORY
 *	gate.test    127.0.0.2, once names_open_gate() was called
 *	127.0.0.77   (back to a name) the same, named gate.test
 */
#ifndef WEFT_TESTS_NET_NAMES_H
#define WEFT_TESTS_NET_NAMES_H

#include <stdbool.h>

void names_open_gate(void);
/* How many look-ups wait at the gate, and how many have ended behind it. */
int names_waiting(void);
int names_ended(void);

#endif
