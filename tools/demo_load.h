/*
 * The load: clients on keep-alive connections that ask the demo's server, phase by phase.
 */
#ifndef WEFT_TOOLS_DEMO_LOAD_H
#define WEFT_TOOLS_DEMO_LOAD_H

#include "tools/demo_control.h"
#include "tools/demo_progress.h"

/*
 * Connects to the server at `address`, runs all phases and fills `run`. Task; a
 * cancellation point. A request that is not answered is counted and is no failure of this
 * call.
 */
int demo_load_run(struct demo_run *run, const char *address, struct demo_control *control,
		  struct demo_progress *progress);

#endif
