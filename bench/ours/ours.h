/*
 * weft's own sides of the benches, each beside the floor of the same name in floor/.
 *
 * They call the public headers, as a user would. Where something else is needed (the bare
 * switch, a clock that runs a minute in a moment), the place says so.
 */
#ifndef WEFT_BENCH_OURS_OURS_H
#define WEFT_BENCH_OURS_OURS_H

#include <weft/stream.h>

#include "bench/bench.h"
#include "bench/server.h"

/* switch.c */
bench_side ours_switch_one_way;

/* tasks.c. n: tasks */
bench_side ours_spawn_one_by_one;
bench_side ours_spawn_bursts;
bench_side ours_spawn_first_use;
bench_side ours_yield_round_robin;
bench_side ours_memory_sleeping;

/* call_soon.c. n: queued */
bench_side ours_call_soon; /* without a handle */
bench_side ours_call_soon_handle; /* with one in the object */

/* timer.c. n: timers */
bench_side ours_timers; /* insert, cancel, expire */
bench_side ours_timers_set_and_cancel;
bench_side ours_timers_cancel;

/* post.c. n: producers, m: enum bench_layout */
bench_side ours_post_embedded;
bench_side ours_post_recycled;
bench_side ours_post_asleep; /* m: enum bench_layout */
bench_side ours_post_spinning;

/* channel.c. n: places; m: enum bench_layout */
bench_side ours_channel_alone; /* put and get by one task */
bench_side ours_channel_tasks; /* of one loop */
bench_side ours_channel_loops;
bench_side ours_channel_thread; /* a plain one puts */
bench_side ours_channel_ping_pong;

/* executor.c. n: threads; m: enum bench_layout */
bench_side ours_executor_jobs; /* 1000 in flight, on the first CPU */
bench_side ours_executor_jobs_anywhere; /* the same, on both */
bench_side ours_executor_asleep; /* 1 in flight */
bench_side ours_executor_spinning; /* 1 in flight */
bench_side ours_executor_sleeps; /* n sleeps of 10 ms */
bench_side ours_executor_mixed; /* 64 jobs of which one sleeps 1 s */

/* echo.c, http.c */
bench_server ours_echo_serve;
bench_server ours_http_serve;

/* serve.c: listens, says so, and serves until SIGTERM. */
int ours_serve(weft_connection_fn *handler, void *arg);

#endif
