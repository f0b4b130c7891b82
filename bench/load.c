/* bench/load: the load generator. Decides when each request is due: as soon as
 * a connection is free (closed loop), at a fixed rate whatever the answers do
 * (open loop; the time counts from when a request was due, so that a stall is
 * seen by all who waited), or once on each of many connections that are then
 * held (idle). Prints one line of JSON. What is right is bench/client's. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/hist.h"
#include "bench/secure.h"

#define EVENTS 256
#define CLIENTS_MAX 200000
#define RATE_MAX 1000000
#define BODY_LEN_MAX 1048576
#define REQUESTS_MAX ((uint64_t)1 << 40)
#define SECONDS_MAX 86400
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u
/* Nothing ended for so long: what is under way counts as failed. */
#define STALL_NS (10 * (uint64_t)NS_PER_S)
/* So many failures without a success between them: nobody answers. */
#define FAILURES_MAX 1000
/* Few at a time, so that what a server holds is due to idle connections and
 * not to a crowd of requests. */
#define IDLE_AT_ONCE 16

struct options {
	const char *path;
	uint32_t n_clients;
	uint64_t n_requests; /* 0: no bound */
	uint64_t length_ms; /* 0: no bound */
	uint64_t rate; /* a second; 0: closed loop */
	size_t body_len; /* of a POST; 0: GET */
	const char *line; /* one more of the head; or NULL */
	const char *file; /* with the whole request; or NULL */
	bool is_idle;
	bool is_silent; /* idle connections send nothing */
};

struct load {
	struct options opt;
	struct client_plan plan;
	struct client *clients;
	char *request; /* lent to the plan */
	uint32_t *free_ring; /* indexes of clients without a request */
	uint32_t free_head;
	uint32_t n_free;
	int timer_fd;
	bool is_stopping;
	uint64_t due; /* open loop: requests due and not begun */
	uint64_t begun;
	uint64_t done;
	uint64_t failed;
	uint64_t failed_in_a_row;
	uint64_t start_ns;
	uint64_t last_ns; /* when the last exchange ended */
	struct hist hist;
};

static _Noreturn void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
free_put(struct load *l, const struct client *c)
{
	uint32_t at = (l->free_head + l->n_free) % l->opt.n_clients;

	l->free_ring[at] = c->index;
	l->n_free++;
}

static struct client *
free_get(struct load *l)
{
	struct client *c = &l->clients[l->free_ring[l->free_head]];

	l->free_head = (l->free_head + 1) % l->opt.n_clients;
	l->n_free--;
	return c;
}

static uint64_t
under_way(const struct load *l)
{
	return l->begun - l->done - l->failed;
}

/* Whether one more request may begin now; its time counts from *since_out. */
static bool
may_begin(struct load *l, uint64_t *since_out)
{
	if (l->is_stopping || l->n_free == 0)
		return false;
	if (l->opt.n_requests > 0 && l->begun >= l->opt.n_requests)
		return false;
	if (l->opt.is_idle && under_way(l) >= IDLE_AT_ONCE)
		return false;
	if (l->opt.rate == 0) {
		*since_out = now_ns();
		return true;
	}
	if (l->due == 0)
		return false;
	l->due--;
	*since_out = l->start_ns + (l->begun + 1) * (NS_PER_S / l->opt.rate);
	return true;
}

static void
note_end(struct load *l, struct client *c, enum client_rc rc)
{
	if (rc == CLIENT_GOING)
		return;
	l->last_ns = now_ns();
	if (rc == CLIENT_DONE) {
		hist_add(&l->hist, c->took_ns);
		l->done++;
		l->failed_in_a_row = 0;
	} else {
		l->failed++;
		l->failed_in_a_row++;
	}
	if (l->failed_in_a_row >= FAILURES_MAX)
		l->is_stopping = true;
	if (!l->opt.is_idle)
		free_put(l, c);
}

static void
begin_due(struct load *l)
{
	struct client *c;
	uint64_t since;

	while (may_begin(l, &since)) {
		c = free_get(l);
		l->begun++;
		note_end(l, c, client_start(c, since));
	}
}

static void
take_event(struct load *l, const struct epoll_event *ev)
{
	uint64_t ticks;
	struct client *c;
	uint32_t index = (uint32_t)ev->data.u64;

	if (index == l->opt.n_clients) {
		if (read(l->timer_fd, &ticks, sizeof(ticks)) > 0)
			l->due += ticks;
	} else {
		c = &l->clients[index];
		/* Not for a connection that was replaced in this batch. */
		if (c->turn == ev->data.u64 >> 32)
			note_end(l, c, client_event(c, ev->events));
	}
	begin_due(l);
}

/* Milliseconds until the end or a stall has to be looked for. */
static int
wait_ms(const struct load *l, uint64_t now)
{
	uint64_t end = l->start_ns + l->opt.length_ms * NS_PER_MS;
	uint64_t until = STALL_NS / NS_PER_MS;

	if (l->opt.length_ms > 0 && !l->is_stopping)
		until = end > now ? (end - now) / NS_PER_MS + 1 : 0;
	return (
	    int)(until < STALL_NS / NS_PER_MS ? until : STALL_NS / NS_PER_MS);
}

static bool
is_over(struct load *l, uint64_t now)
{
	if (l->opt.length_ms > 0 &&
	    now - l->start_ns >= l->opt.length_ms * NS_PER_MS)
		l->is_stopping = true;
	if (l->opt.n_requests > 0 && l->begun >= l->opt.n_requests)
		l->is_stopping = true;
	return l->is_stopping && under_way(l) == 0;
}

/* Until all is done; what hangs is counted as failed. */
static void
load_run(struct load *l)
{
	struct epoll_event events[EVENTS];
	uint64_t now = l->start_ns;
	int i, n;

	begin_due(l);
	while (!is_over(l, now)) {
		n = epoll_wait(
		    l->plan.epoll_fd, events, EVENTS, wait_ms(l, now));
		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (i = 0; i < n; i++)
			take_event(l, &events[i]);
		now = now_ns();
		if (under_way(l) > 0 && now - l->last_ns > STALL_NS) {
			l->failed += under_way(l);
			break;
		}
	}
}

static void
load_timer(struct load *l)
{
	long each = (long)(NS_PER_S / l->opt.rate);
	struct itimerspec spec = {.it_interval.tv_sec = each / NS_PER_S,
	    .it_interval.tv_nsec = each % NS_PER_S};
	struct epoll_event ev = {
	    .events = EPOLLIN, .data.u64 = l->opt.n_clients};

	spec.it_value = spec.it_interval;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (l->timer_fd < 0 ||
	    timerfd_settime(l->timer_fd, 0, &spec, NULL) < 0 ||
	    epoll_ctl(l->plan.epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &ev) < 0)
		fail("timerfd");
}

#define FILE_MAX (4u << 20)

/* A whole request that somebody wrote. */
static void
read_request(struct load *l)
{
	FILE *f = fopen(l->opt.file, "r");

	if (f == NULL)
		fail(l->opt.file);
	l->request = malloc(FILE_MAX);
	if (l->request == NULL)
		fail("malloc");
	l->plan.request = l->request;
	l->plan.request_len = fread(l->request, 1, FILE_MAX, f);
	if (ferror(f) != 0 || feof(f) == 0)
		fail(l->opt.file);
	(void)fclose(f);
}

static void
make_request(struct load *l)
{
	const struct options *opt = &l->opt;
	const char *line = opt->line == NULL ? "" : opt->line;
	size_t room = strlen(opt->path) + strlen(line) + opt->body_len + 256;
	char *text = malloc(room);
	char length[64] = "";
	int n;

	if (text == NULL)
		fail("malloc");
	if (opt->body_len > 0)
		(void)snprintf(length, sizeof(length),
		    "Content-Length: %zu\r\n", opt->body_len);
	n = snprintf(text, room,
	    "%s %s HTTP/1.1\r\n"
	    "Host: bench.example\r\n"
	    "User-Agent: load\r\n"
	    "Accept: */*\r\n"
	    "%s%s%s%s\r\n",
	    opt->body_len > 0 ? "POST" : "GET", opt->path, length, line,
	    *line != '\0' ? "\r\n" : "",
	    l->plan.is_oneshot ? "Connection: close\r\n" : "");
	memset(text + n, 'x', opt->body_len);
	l->request = text;
	l->plan.request = text;
	l->plan.request_len = opt->is_silent ? 0 : (size_t)n + opt->body_len;
}

static void
load_init(struct load *l)
{
	uint32_t i, n = l->opt.n_clients;

	l->plan.epoll_fd = epoll_create1(0);
	l->plan.in = malloc(CLIENT_IN_CAP);
	l->clients = calloc(n, sizeof(*l->clients));
	l->free_ring = calloc(n, sizeof(*l->free_ring));
	if (l->plan.epoll_fd < 0 || l->plan.in == NULL || l->clients == NULL ||
	    l->free_ring == NULL)
		fail("load");
	if (l->opt.file != NULL)
		read_request(l);
	else
		make_request(l);
	for (i = 0; i < n; i++) {
		client_init(&l->clients[i], &l->plan, i);
		free_put(l, &l->clients[i]);
	}
	l->start_ns = l->last_ns = now_ns();
	if (l->opt.rate > 0)
		load_timer(l);
}

static void
load_fini(struct load *l)
{
	uint32_t i;

	for (i = 0; i < l->opt.n_clients; i++)
		client_fini(&l->clients[i]);
	(void)close(l->plan.epoll_fd);
	if (l->opt.rate > 0)
		(void)close(l->timer_fd);
	secure_plan_free(l->plan.tls);
	free(l->clients);
	free(l->free_ring);
	free(l->plan.in);
	free(l->request);
}

static double
us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void
load_report(const struct load *l)
{
	double seconds = (double)(l->last_ns - l->start_ns) / NS_PER_S;
	uint64_t bytes = 0, resumed = 0;
	uint32_t i;

	for (i = 0; i < l->opt.n_clients; i++) {
		bytes += l->clients[i].bytes;
		resumed += l->clients[i].n_resumed;
	}
	(void)printf("{\"requests\": %llu, \"errors\": %llu, "
		     "\"bytes\": %llu, \"seconds\": %.6f, \"rps\": %.1f, "
		     "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
		     "\"max_us\": %.1f, \"resumed\": %llu}\n",
	    (unsigned long long)l->done, (unsigned long long)l->failed,
	    (unsigned long long)bytes, seconds,
	    seconds > 0 ? (double)l->done / seconds : 0,
	    us(hist_quantile(&l->hist, 0.5)), us(hist_quantile(&l->hist, 0.9)),
	    us(hist_quantile(&l->hist, 0.99)), us(l->hist.max),
	    (unsigned long long)resumed);
	(void)fflush(stdout);
}

/* Keep what was opened until standard input ends, then tell how many of the
 * connections the server still had. */
static void
load_hold(const struct load *l)
{
	uint32_t i, held = 0;
	char drop[256];

	while (read(STDIN_FILENO, drop, sizeof(drop)) > 0)
		continue;
	for (i = 0; i < l->opt.n_clients; i++)
		held += !client_is_lost(&l->clients[i]);
	(void)printf("{\"held\": %u}\n", held);
}

static _Noreturn void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: load [options] ADDRESS:PORT\n"
	    "  -p PATH   what to ask for (/1k)\n"
	    "  -c N      connections (64)\n"
	    "  -n N      stop after N requests\n"
	    "  -t MS     stop after so many milliseconds\n"
	    "  -r RATE   open loop: so many requests a second\n"
	    "  -b LEN    POST a body of LEN bytes\n"
	    "  -H LINE   one more header line\n"
	    "  -f FILE   send what it holds, a request with its head\n"
	    "  -e LEN    each answer's body must have LEN bytes\n"
	    "  -o        one-shot: a connection for each request\n"
	    "  -i        idle: one request on each of the N connections, "
	    "print,\n"
	    "            hold them until standard input ends, print\n"
	    "  -s        with -i: send no request\n"
	    "  -S        by TLS 1.3\n"
	    "  -R        by TLS 1.3, each connection resumes the one before\n"
	    "  -k CPU    run on this CPU\n");
	exit(2);
}

static void
load_option(struct load *l, int letter, const char *value)
{
	struct options *opt = &l->opt;

	if (letter == 'p') {
		opt->path = value;
	} else if (letter == 'c') {
		opt->n_clients = (uint32_t)arg_number("-c", value, CLIENTS_MAX);
	} else if (letter == 'n') {
		opt->n_requests = arg_number("-n", value, REQUESTS_MAX);
	} else if (letter == 't') {
		opt->length_ms = arg_number("-t", value, SECONDS_MAX * 1000);
	} else if (letter == 'r') {
		opt->rate = arg_number("-r", value, RATE_MAX);
	} else if (letter == 'b') {
		opt->body_len = arg_number("-b", value, BODY_LEN_MAX);
	} else if (letter == 'H') {
		opt->line = value;
	} else if (letter == 'f') {
		opt->file = value;
	} else if (letter == 'e') {
		l->plan.expect = arg_number("-e", value, REQUESTS_MAX);
		l->plan.has_expect = true;
	} else if (letter == 'o') {
		l->plan.is_oneshot = true;
	} else if (letter == 'i') {
		opt->is_idle = true;
	} else if (letter == 's') {
		opt->is_silent = true;
	} else if (letter == 'S' || letter == 'R') {
		l->plan.is_resuming = letter == 'R';
		if (l->plan.tls == NULL)
			l->plan.tls = secure_plan();
	} else if (letter == 'k') {
		if (cpu_pin((unsigned)arg_number("-k", value, 1023)) < 0)
			fail("-k");
	} else {
		usage();
	}
}

static void
load_options(struct load *l, int argc, char **argv)
{
	int letter;

	l->opt.path = "/1k";
	l->opt.n_clients = 64;
	while ((letter = getopt(argc, argv, "p:c:n:t:r:b:H:f:e:oisSRk:")) != -1)
		load_option(l, letter, optarg);
	if (l->opt.is_idle)
		l->opt.n_requests = l->opt.n_clients;
	if (optind != argc - 1 || l->opt.n_clients == 0 ||
	    !sock_address(argv[optind], &l->plan.to))
		usage();
	if (l->opt.n_requests == 0 && l->opt.length_ms == 0) {
		(void)fprintf(stderr, "load: give -n or -t\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof(*l));
	bool is_clean;

	if (l == NULL)
		fail("load");
	load_options(l, argc, argv);
	load_init(l);
	load_run(l);
	load_report(l);
	if (l->opt.is_idle)
		load_hold(l);
	is_clean = l->failed == 0;
	load_fini(l);
	free(l);
	return is_clean ? 0 : 1;
}
