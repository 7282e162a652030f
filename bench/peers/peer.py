"""asyncio and uvloop as peers; see bench/peers.h.

    peer.py asyncio|uvloop --sample BENCH CASE BUDGET_MS
    peer.py asyncio|uvloop --serve BENCH

Cases have the names and the placement of those in bench/*.c; one that is not here ends in exit
status 77. Counts are lower than there, because everything is slower.
"""
import asyncio
import concurrent.futures
import os
import statistics
import sys
import threading
import time

SKIP = 77
ASLEEP_GAP_S = 200e-6
CPUS = sorted(os.sched_getaffinity(0))
now = time.perf_counter
if sys.argv[1] == "uvloop":
    import uvloop
    new_event_loop = uvloop.new_event_loop
else:
    new_event_loop = asyncio.new_event_loop


def pin(place):
    """The first or second CPU for this thread; None is all of them."""
    os.sched_setaffinity(0, CPUS if place is None else [CPUS[min(place, len(CPUS) - 1)]])


def put(unit, value):
    print(f"{unit}\t{value:.9g}", flush=True)


def run(coroutine):
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(coroutine)


def rounds(budget_s, once):
    """Medians of what once() returns, repeated for so long, at least three times."""
    values, end = [], now() + budget_s
    while len(values) < 3 or now() < end:
        values.append(once())
    return [statistics.median(column) for column in zip(*values)]


async def rounds_async(budget_s, once):
    values, end = [], now() + budget_s
    while len(values) < 3 or now() < end:
        values.append(await once())
    return [statistics.median(column) for column in zip(*values)]


def busy(span_s):
    end = now() + span_s
    while now() < end:
        pass


# ---- spawn, yield, call_soon, timer ----

async def nothing():
    pass


def spawn(budget_s, bursts):
    async def one_by_one():
        loop, n, start = asyncio.get_running_loop(), 2000, time.thread_time()
        for _ in range(n):
            loop.create_task(nothing())
            await asyncio.sleep(0)
        return ((time.thread_time() - start) * 1e9 / n,)

    async def burst():
        loop, start = asyncio.get_running_loop(), time.thread_time()
        for _ in range(1000):
            loop.create_task(nothing())
        await asyncio.sleep(0)
        return ((time.thread_time() - start) * 1e9 / 1000,)

    pin(1)
    put("ns", *run(rounds_async(budget_s, burst if bursts else one_by_one)))


def yield_(budget_s, n_tasks):
    async def other():
        while True:
            await asyncio.sleep(0)

    async def once():
        turns = max(5000 // n_tasks, 1)
        start = time.thread_time()
        for _ in range(turns):
            await asyncio.sleep(0)
        return ((time.thread_time() - start) * 1e9 / (turns * n_tasks),)

    async def main():
        others = [asyncio.ensure_future(other()) for _ in range(n_tasks - 1)]
        await asyncio.sleep(0)
        result = await rounds_async(budget_s, once)
        for task in others:
            task.cancel()
        return result

    pin(1)
    put("ns", *run(main()))


def call_soon(budget_s, n_queued):
    def once():
        loop, left = asyncio.get_event_loop(), [max(20000, 2 * n_queued)]
        total = left[0]

        def again():
            left[0] -= 1
            if left[0] >= n_queued:
                loop.call_soon(again)
            elif left[0] == 0:
                loop.stop()

        start = time.thread_time()
        for _ in range(n_queued):
            loop.call_soon(again)
        loop.run_forever()
        return ((time.thread_time() - start) * 1e9 / total,)

    pin(1)
    asyncio.set_event_loop(new_event_loop())
    put("ns", *rounds(budget_s, once))


def timer_timeout(budget_s):
    async def main():
        loop, nop = asyncio.get_running_loop(), lambda: None
        pending = [loop.call_later(60 + i * 1e-6, nop) for i in range(100000)]

        async def once():
            start = time.thread_time()
            for _ in range(1000):
                loop.call_later(30, nop).cancel()
            return ((time.thread_time() - start) * 1e9 / 1000,)

        result = await rounds_async(budget_s, once)
        for handle in pending:
            handle.cancel()
        return result

    pin(1)
    put("ns/set+cancel", *run(main()))


# ---- executor ----

def start_pool(n, place):
    """The pool's threads are pinned as they start, the loop to the second CPU."""
    pool = concurrent.futures.ThreadPoolExecutor(n, initializer=pin, initargs=(place,))
    pin(None if place is None else 1)
    return pool


def executor_in_flight(budget_s, n, place):
    pool, total = start_pool(n, place), 4000

    async def once():
        loop, left = asyncio.get_running_loop(), [total - 1000, 0]
        finished = loop.create_future()

        def done(future):
            left[1] += 1
            if left[0] > 0:
                left[0] -= 1
                loop.run_in_executor(pool, int).add_done_callback(done)
            elif left[1] == total:
                finished.set_result(None)

        wall, cpu = now(), time.process_time()
        for _ in range(1000):
            loop.run_in_executor(pool, int).add_done_callback(done)
        await finished
        return total / (now() - wall) / 1e6, (time.process_time() - cpu) * 1e9 / total

    rate, cpu = run(rounds_async(budget_s, once))
    put("M jobs/s", rate)
    put("CPU ns", cpu)


def executor_one(budget_s, place):
    pool = start_pool(1, place)

    async def main():
        loop, latencies, end = asyncio.get_running_loop(), [], now() + budget_s
        while now() < end:
            busy(ASLEEP_GAP_S)
            start = now()
            await loop.run_in_executor(pool, int)
            latencies.append(now() - start)
        return statistics.median(latencies)

    put("us", run(main()) * 1e6)


def executor_sleeps(budget_s):
    pool = start_pool(64, None)

    async def once():
        loop, start = asyncio.get_running_loop(), now()
        await asyncio.gather(*[loop.run_in_executor(pool, time.sleep, 0.01)
                               for _ in range(64)])
        return ((now() - start) * 1e3,)

    async def main():
        await once()
        return await rounds_async(budget_s, once)

    put("ms", *run(main()))


def executor_mixed():
    pool = start_pool(4, None)

    async def main():
        loop, start = asyncio.get_running_loop(), now()
        first = loop.run_in_executor(pool, time.sleep, 1)
        await asyncio.gather(*[loop.run_in_executor(pool, int) for _ in range(63)])
        elapsed = (now() - start) * 1e3
        await first
        return elapsed

    put("ms", run(main()))


# ---- post ----

def post_in_bulk(budget_s, producers, place):
    n = 20000 // producers * producers

    def once():
        loop, got = new_event_loop(), [0]
        gate = threading.Barrier(producers + 1)

        def count():
            got[0] += 1
            if got[0] == n:
                loop.stop()

        def produce():
            pin(place)
            gate.wait()
            for _ in range(n // producers):
                loop.call_soon_threadsafe(count)

        threads = [threading.Thread(target=produce) for _ in range(producers)]
        for thread in threads:
            thread.start()
        gate.wait()
        wall, cpu = now(), time.process_time()
        loop.run_forever()
        result = n / (now() - wall) / 1e6, (time.process_time() - cpu) * 1e9 / n
        for thread in threads:
            thread.join()
        loop.close()
        return result

    pin(None if place is None else 1)
    rate, cpu = rounds(budget_s, once)
    put("M/s", rate)
    put("CPU ns", cpu)


def post_ping_pong(budget_s, place):
    here, there, latencies, started = new_event_loop(), new_event_loop(), [], [0]
    end = now() + budget_s

    def answer():
        pin(place)
        there.run_forever()

    def send():
        busy(ASLEEP_GAP_S)
        started[0] = now()
        there.call_soon_threadsafe(ping)

    def ping():
        here.call_soon_threadsafe(pong)

    def pong():
        latencies.append(now() - started[0])
        if now() < end:
            send()
        else:
            there.call_soon_threadsafe(there.stop)
            here.stop()

    thread = threading.Thread(target=answer)
    thread.start()
    pin(1)
    here.call_soon(send)
    here.run_forever()
    thread.join()
    put("us one way", statistics.median(latencies) / 2 * 1e6)


# ---- echo, http ----

def listening(server):
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)


async def serve_echo():
    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    listening(server)
    await server.serve_forever()


async def serve_http():
    try:
        from aiohttp import web
    except ImportError:
        sys.exit(SKIP)

    async def hello(request):
        return web.Response(text="hello world\n")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    listening(site._server)
    await asyncio.Event().wait()


CASES = {
    ("spawn", "one by one"): lambda b: spawn(b, False),
    ("spawn", "bursts of 1000"): lambda b: spawn(b, True),
    ("yield", "1 task"): lambda b: yield_(b, 1),
    ("yield", "10 tasks"): lambda b: yield_(b, 10),
    ("yield", "1 k tasks"): lambda b: yield_(b, 1000),
    ("call_soon", "1 queued"): lambda b: call_soon(b, 1),
    ("call_soon", "100 queued"): lambda b: call_soon(b, 100),
    ("call_soon", "1 k queued"): lambda b: call_soon(b, 1000),
    ("timer", "time-out, 500 k pending"): timer_timeout,
    ("executor", "1000 in flight, 1 worker"): lambda b: executor_in_flight(b, 1, 0),
    ("executor", "1000 in flight, 2 workers"): lambda b: executor_in_flight(b, 2, None),
    ("executor", "1000 in flight, one CPU"): lambda b: executor_in_flight(b, 2, 1),
    ("executor", "1 in flight, asleep"): lambda b: executor_one(b, 0),
    ("executor", "1 in flight, asleep, one CPU"): lambda b: executor_one(b, 1),
    ("executor", "64 sleeps of 10 ms"): executor_sleeps,
    ("executor", "mixed"): lambda b: executor_mixed(),
    ("post", "1 producer"): lambda b: post_in_bulk(b, 1, 0),
    ("post", "2 producers"): lambda b: post_in_bulk(b, 2, None),
    ("post", "1 producer, one CPU"): lambda b: post_in_bulk(b, 1, 1),
    ("post", "2 producers, one CPU"): lambda b: post_in_bulk(b, 2, 1),
    ("post", "ping-pong, asleep"): lambda b: post_ping_pong(b, 0),
    ("post", "ping-pong, asleep, one CPU"): lambda b: post_ping_pong(b, 1),
}

if sys.argv[2] == "--serve":
    run({"echo": serve_echo, "http": serve_http}[sys.argv[3]]())
elif tuple(sys.argv[3:5]) in CASES:
    CASES[tuple(sys.argv[3:5])](int(sys.argv[5]) / 1e3)
else:
    sys.exit(SKIP)
