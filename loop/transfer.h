/*
 * recv() and send() as the kernel has them.
 *
 * In a program with threads, libc's are cancellation points: two atomic exchanges around each call,
 * for a pthread_cancel() that no thread of a loop could survive anyway. The sanitizers know what a
 * call reads, writes and orders from libc's functions, so there those are called.
 */
#ifndef WEFT_LOOP_TRANSFER_H
#define WEFT_LOOP_TRANSFER_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitizer.h"

#if defined(BUILT_WITH_ASAN) || defined(BUILT_WITH_TSAN)

static inline ssize_t transfer_receive(int fd, void *data, size_t size)
{
	return recv(fd, data, size, 0);
}

static inline ssize_t transfer_send(int fd, const void *data, size_t size)
{
	return send(fd, data, size, MSG_NOSIGNAL);
}

#else

static inline ssize_t transfer_receive(int fd, void *data, size_t size)
{
	return syscall(SYS_recvfrom, fd, data, size, 0, NULL, NULL);
}

static inline ssize_t transfer_send(int fd, const void *data, size_t size)
{
	return syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, NULL, 0);
}

#endif

#endif
