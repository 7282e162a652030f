/*
 * The floors: for each bench the least that hardware and kernel need for the same
 * service, written without errors, cancellation or anything else a library owes its
 * users.
 */
#ifndef WEFT_BENCH_FLOOR_FLOORS_H
#define WEFT_BENCH_FLOOR_FLOORS_H

#include "bench/bench.h"
#include "bench/server.h"

/* switch.c */
bench_side floor_call_and_return; /* half of it, to stand beside one switch */
bench_side floor_switch_one_way; /* pop, jmp */
bench_side floor_switch_one_way_ret;

/* tasks.c. n: tasks */
bench_side floor_spawn_one_by_one;
bench_side floor_spawn_bursts;
bench_side floor_spawn_first_use; /* a guard and a page fault for each */
bench_side floor_yield_round_robin;
bench_side floor_memory_sleeping;

/* call_soon.c. n: queued */
bench_side floor_call_soon_ring;

/* timer.c. n: timers */
bench_side floor_wheel; /* insert, cancel, expire */
bench_side floor_wheel_set_and_cancel;
bench_side floor_heap_cancel;

/* post.c. n: producers, m: enum bench_layout */
bench_side floor_post_embedded;
bench_side floor_post_recycled;
bench_side floor_post_asleep; /* m: enum bench_layout */
bench_side floor_post_spinning;

/* channel.c. n: places; m: enum bench_layout */
bench_side floor_channel_alone; /* put and get by one thread */
bench_side floor_channel_threads;
bench_side floor_channel_ping_pong;

/* executor.c. n: workers */
bench_side floor_executor_spinning_jobs; /* 1000 in flight */
bench_side floor_executor_sleeping_jobs; /* the same, without spinning */
bench_side floor_executor_usual_pool; /* the same, on mutex, condition and eventfd */
bench_side floor_executor_asleep; /* 1 in flight; m: enum bench_layout */
bench_side floor_executor_spinning; /* 1 in flight */
bench_side floor_executor_sleeps; /* n sleeps of 10 ms on n workers */
bench_side floor_executor_mixed; /* 64 jobs of which one sleeps 1 s */

/* echo.c, http.c */
bench_server floor_echo_serve;
bench_server floor_http_serve;

#endif
