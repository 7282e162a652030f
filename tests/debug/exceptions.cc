// A program for tests/debug/exceptions.sh: C++ exceptions on the stacks of tasks.
//
// Without arguments it prints what was caught and destroyed, in order. With "leave", an exception
// leaves a task, which ends the program; with "break", tasks wait where one must not.

#include <cstdio>
#include <stdexcept>
#include <string>

#include <weft/weft.h>

struct Noisy {
	const char *name;
	explicit Noisy(const char *n) : name(n)
	{
	}
	~Noisy()
	{
		std::printf("destroyed %s\n", name);
	}
};

// The frame is left by way of its destructor, with a wait before.
__attribute__((noinline)) static int throws_after_a_wait(const char *name, int depth)
{
	Noisy noisy(name);

	if (weft_yield() < 0)
		return -1;
	if (depth == 0)
		throw std::runtime_error(std::string("thrown by ") + name);
	return throws_after_a_wait(name, depth - 1) + 1;
}

static int catches(void *arg)
{
	const char *name = static_cast<const char *>(arg);
	std::string what;

	for (int i = 0; i < 2; i++) {
		try {
			throws_after_a_wait(name, 2);
		} catch (const std::exception &e) {
			what = e.what();
		}
		std::printf("caught what was %s\n", what.c_str());
		if (weft_yield() < 0)
			return -1;
	}
	return 0;
}

// Against the law: others may throw and catch meanwhile. WEFT_DEBUG=1 tells of it.
static int waits_in_a_catch(void *)
{
	int r = 0;

	try {
		throw std::runtime_error("any");
	} catch (const std::exception &) {
		r = weft_yield();
	}
	return r < 0 ? r : weft_yield();
}

struct WaitsWhenDestroyed {
	~WaitsWhenDestroyed()
	{
		(void)!weft_yield();
	}
};

static int waits_while_unwinding(void *)
{
	try {
		WaitsWhenDestroyed object;

		throw std::runtime_error("any");
	} catch (const std::exception &) {
	}
	return weft_yield();
}

// Waits after its catch, as it should.
static int waits_afterwards(void *)
{
	bool failed = false;

	try {
		throw std::runtime_error("any");
	} catch (const std::exception &) {
		failed = true;
	}
	return failed ? weft_yield() : 0;
}

// One after the other, so that it is clear whose exceptions these are.
static int breaks_the_law(void *)
{
	static weft_fn *const each[] = { waits_in_a_catch, waits_while_unwinding,
					 waits_afterwards };
	int r = 0;

	for (weft_fn *fn : each) {
		weft_task *task;

		if (r == 0)
			r = weft_spawn(fn, nullptr, &task);
		if (r == 0)
			r = weft_task_join(task);
	}
	return r;
}

static int lets_go(void *)
{
	throw std::runtime_error("nobody catches this");
}

static int app(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	if (arg) {
		weft_group_spawn(&group, lets_go, nullptr);
	} else {
		weft_group_spawn(&group, catches, const_cast<char *>("a"));
		weft_group_spawn(&group, catches, const_cast<char *>("b"));
	}
	return weft_group_end(&group, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && std::string(argv[1]) == "break")
		return weft_exit_status(weft_run(breaks_the_law, nullptr));
	return weft_exit_status(weft_run(app, argc > 1 ? argv : nullptr));
}
