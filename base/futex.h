/*
 * Sleeping until a word changes: Linux futexes, within the process.
 *
 * Any thread. Neither call orders memory or promises anything: a wait may end early, so it stands
 * in a loop that looks at the word, with the memory order that is needed.
 */
#ifndef WEFT_BASE_FUTEX_H
#define WEFT_BASE_FUTEX_H

#include "base/base.h"

/* Sleeps while the word is `seen`, or for some shorter time. */
void weft__futex_wait(_Atomic uint32_t *word, uint32_t seen);
/* Wakes one that sleeps there. The word is not read, and may be gone. */
void weft__futex_wake(_Atomic uint32_t *word);

#endif
