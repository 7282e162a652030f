/*
 * weft-bench: what weft costs, beside the least that the machine needs for the same
 * service.
 *
 * The main program: options, the list of benches, and the two roles in which it starts
 * itself anew (a sample, and a server for one). Measuring is in run.c, printing in
 * report.c, each bench in a file of its own, and the floors in floor/.
 */
#include "bench/peers.h"
#include "bench/report.h"
#include "bench/server.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct bench *const benches[] = {
	&bench_switch, &bench_spawn, &bench_yield,   &bench_call_soon,
	&bench_timer,  &bench_post,  &bench_channel, &bench_executor,
	&bench_echo,   &bench_http,  &bench_memory,
};

static const char usage[] =
	"usage: weft-bench [options] [NAME...]\n"
	"\n"
	"Measures weft beside its floor, the least that this machine needs for the same\n"
	"service, and prints a table. NAME is a bench, or bench/text for those of its cases\n"
	"that contain the text; default is all.\n"
	"\n"
	"  --list     what there is\n"
	"  --json     an object a line instead of a table\n"
	"  --peers    beside them libuv, libevent, asyncio, uvloop, Go, nginx, if installed\n"
	"  --quick    under a minute, and less exact\n"
	"  --wait SECONDS\n"
	"             on a shared machine: wait, so long in all, for others to leave the CPUs\n"
	"  --sample SIDE BENCH CASE [SERVER...]\n"
	"             one measurement in this process, for perf and valgrind; SIDE is floor or\n"
	"             weft, or anything else if there is the command of a server to be loaded\n"
	"  --serve NAME\n"
	"             only be a server that a bench loads\n"
	"  --budget MS\n"
	"             how long one measurement lasts (150; with --quick 40)\n";

struct options {
	struct bench_plan plan;
	bool json;
	bool list;
	bool peers;
	weft_time budget_ns;
	const char *sample_side;
	const char *server;
};

static const struct bench *find_bench(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++) {
		if (strcmp(benches[i]->name, name) == 0)
			return benches[i];
	}
	return NULL;
}

/* Does NAME stand for this case? */
static bool selects(const char *name, const struct bench *bench,
		    const struct bench_case *c)
{
	size_t n = strlen(bench->name);

	if (strncmp(name, bench->name, n) != 0)
		return false;
	return name[n] == '\0' || (name[n] == '/' && strstr(c->name, name + n + 1));
}

static bool is_selected(char *const names[], const struct bench *bench,
			const struct bench_case *c)
{
	if (!names[0])
		return true;
	for (size_t i = 0; names[i]; i++) {
		if (selects(names[i], bench, c))
			return true;
	}
	return false;
}

/* A name that selects nothing is a mistake, and told before anything is measured. */
static void check_names(char *const names[])
{
	for (size_t i = 0; names[i]; i++) {
		bool found = false;

		for (size_t b = 0; b < ARRAY_SIZE(benches); b++) {
			for (size_t k = 0; k < benches[b]->n_cases; k++)
				found |= selects(names[i], benches[b],
						 &benches[b]->cases[k]);
		}
		if (!found)
			bench_die("there is no bench \"%s\"; --list shows what there is",
				  names[i]);
	}
}

static int list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++) {
		printf("%s: %s\n", benches[i]->name, benches[i]->what);
		for (size_t k = 0; k < benches[i]->n_cases; k++)
			printf("    %s\n", benches[i]->cases[k].name);
	}
	return EXIT_SUCCESS;
}

/* weft-bench --sample SIDE BENCH CASE */
static int sample(const char *side, char *const args[])
{
	const struct bench *bench = args[0] ? find_bench(args[0]) : NULL;

	if (!bench || !args[1])
		bench_die("--sample SIDE BENCH CASE: no such bench, or no case");
	for (size_t i = 0; i < bench->n_cases; i++) {
		if (strcmp(bench->cases[i].name, args[1]) == 0)
			return bench_sample(bench, &bench->cases[i], side, args + 2);
	}
	bench_die("the bench %s has no case \"%s\"; --list shows what there is",
		  bench->name, args[1]);
}

static int serve(const char *name)
{
	for (size_t i = 0; i < bench_n_servers; i++) {
		if (strcmp(bench_servers[i].name, name) == 0)
			return bench_servers[i].serve() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	bench_die("there is no server \"%s\"", name);
}

static int run(struct options *options, char *const names[])
{
	bool failed = false;

	if (!options->json)
		bench_table_head(stdout, &options->plan);
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++) {
		for (size_t k = 0; k < benches[i]->n_cases; k++) {
			const struct bench_case *c = &benches[i]->cases[k];
			struct bench_outcome outcome;

			if (!is_selected(names, benches[i], c))
				continue;
			bench_run_case(benches[i], c, &options->plan, &outcome);
			failed |= outcome.has_failed;
			if (options->json)
				bench_json_case(stdout, benches[i], c, &options->plan,
						&outcome);
			else
				bench_table_case(stdout, benches[i], c, &options->plan,
						 &outcome);
		}
	}
	if (!options->json)
		bench_table_foot(stdout);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void parse(int argc, char *argv[], struct options *options)
{
	static const struct option known[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "peers", no_argument, NULL, 'p' },
		{ "quick", no_argument, NULL, 'q' },
		{ "sample", required_argument, NULL, 's' },
		{ "serve", required_argument, NULL, 'S' },
		{ "budget", required_argument, NULL, 'b' },
		{ "wait", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+h", known, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		if (option == '?') {
			fputs(usage, stderr);
			exit(EXIT_FAILURE);
		}
		options->list |= option == 'l';
		options->json |= option == 'j';
		options->peers |= option == 'p';
		options->plan.quick |= option == 'q';
		if (option == 's')
			options->sample_side = optarg;
		if (option == 'S')
			options->server = optarg;
		if (option == 'b')
			options->budget_ns = strtol(optarg, NULL, 10) * WEFT_MSEC;
		if (option == 'w')
			options->plan.patience_ns = strtol(optarg, NULL, 10) * WEFT_SEC;
	}
}

int main(int argc, char *argv[])
{
	struct options options = { .json = false };

	parse(argc, argv, &options);
	if (options.budget_ns <= 0)
		options.budget_ns = (options.plan.quick ? 40 : 150) * WEFT_MSEC;
	options.plan.budget_ns = options.budget_ns;
	options.plan.repeats = options.plan.quick ? 3 : 5;
	bench_set_budget(options.budget_ns);
	(void)bench_n_cpus(); /* remembers the CPUs allowed before anything is pinned */
	if (options.list)
		return list();
	if (options.server)
		return serve(options.server);
	if (options.sample_side)
		return sample(options.sample_side, argv + optind);
	check_names(argv + optind);
	if (options.peers)
		bench_peers_find(options.plan.peers, ARRAY_SIZE(options.plan.peers));
	return run(&options, argv + optind);
}
