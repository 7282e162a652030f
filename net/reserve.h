/*
 * A descriptor held in reserve, for the moment when there are no others.
 *
 * A process that has used up its descriptors cannot even refuse a connection: it waits in the
 * listener's queue, and its client waits with it. With one descriptor given up for a moment it can
 * be accepted and closed. One for the process, held as long as somebody listens. Any thread.
 */
#ifndef WEFT_NET_RESERVE_H
#define WEFT_NET_RESERVE_H

#include <stdbool.h>

/* Somebody listens, or does so no longer. That there is no descriptor to be had is no failure. */
void weft__reserve_hold(void);
void weft__reserve_unhold(void);

/* Accepts a connection from `fd` and closes it. False if that was not possible. */
bool weft__reserve_shed(int fd);

#endif
