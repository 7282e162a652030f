/*
 * The heartbeat of one loop of the demo's server: how late is a task that wants to run?
 */
#ifndef WEFT_TOOLS_DEMO_HEARTBEAT_H
#define WEFT_TOOLS_DEMO_HEARTBEAT_H

/*
 * Connects to the load process and starts the heartbeat of this thread's loop, which ends
 * with that connection or with the loop. Task; a cancellation point.
 *
 * Return: 0 or a negative errno.
 */
int demo_heartbeat_start(const char *address, int process, int loop);

#endif
