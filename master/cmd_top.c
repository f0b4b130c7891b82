/* master/cmd_top: what the dashboard shows, in a terminal: drawn anew every two
 * seconds until q, or once as text or JSON. The numbers are the steward's; here
 * is nothing counted. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "master/admin_client.h"
#include "master/decision_text.h"
#include "master/report.h"

#define EVERY_MS 2000
/* Of one list. */
#define ROWS_MAX 5u
/* When a terminal does not tell its size. */
#define LINES_USUAL 24u
#define COLUMNS_USUAL 80u
/* Workers and servers take no more of its lines than these parts, so that there
 * is room for what stands behind them. */
#define WORKERS_PART 6u
#define SERVERS_PART 3u
#define CTRL_C 3

#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define SCREEN_LINE_END "\033[K\n"
#define SCREEN_REST "\033[J"

/* The three answers. */
enum { TOP_STATUS, TOP_TRAFFIC, TOP_WHY, TOP_ASKS };
static const struct {
	const char *key;
	const char *target;
} asks[TOP_ASKS] = {
    [TOP_STATUS] = {"status", "/v1/status"},
    [TOP_TRAFFIC] = {"traffic", "/v1/traffic"},
    [TOP_WHY] = {"why", "/v1/why?last=5&refused"},
};

struct top {
	struct admin_client client;
	json_t *all; /* what was answered, by key */
	const char *key; /* of the one that is asked for */
	bool is_once;
	bool is_json;
};

/* --- asking --------------------------------------------------------------- */

static void
top_on_answer(void *self, const json_t *j, span text)
{
	struct top *t = self;

	(void)text;
	(void)json_object_set_new(t->all, t->key, json_deep_copy(j));
}

/* EXIT_SUCCESS, or what is wrong was told. */
static int
top_ask(struct top *t)
{
	int rc = EXIT_SUCCESS;

	(void)json_object_clear(t->all);
	for (int i = 0; i < TOP_ASKS && rc == EXIT_SUCCESS; i++) {
		t->key = asks[i].key;
		t->client.is_done = false;
		rc = admin_client_ask(&t->client, METHOD_GET,
		    span_str(asks[i].target), span_of(NULL, 0));
	}
	return rc;
}

/* --- text ----------------------------------------------------------------- */

static long long
number_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static void
write_ms(FILE *out, const char *name, const json_t *traffic, const char *key)
{
	const json_t *v = json_object_get(traffic, key);

	if (json_is_number(v))
		(void)fprintf(out, "  %s %.2f ms", name, json_number_value(v));
	else
		(void)fprintf(out, "  %s -", name);
}

static void
write_now(FILE *out, const json_t *traffic)
{
	static const char *const classes[] = {
	    "2xx", "3xx", "4xx", "5xx", "none"};
	const json_t *now = json_object_get(traffic, "now");
	const json_t *total = json_object_get(traffic, "total");
	long long lookups = number_of(now, "cache_lookups");

	(void)fprintf(out, "now    %.1f requests/s",
	    json_number_value(json_object_get(now, "requests_per_s")));
	write_ms(out, "p50", now, "p50_ms");
	write_ms(out, "p90", now, "p90_ms");
	write_ms(out, "p99", now, "p99_ms");
	if (lookups > 0)
		(void)fprintf(out, "  cache hits %.1f%%",
		    100.0 * (double)number_of(now, "cache_hits") /
			(double)lookups);
	(void)fprintf(
	    out, "\nin all %lld requests", number_of(total, "requests"));
	for (size_t i = 0; i < NELEMS(classes); i++)
		(void)fprintf(out, "  %s %lld", classes[i],
		    number_of(json_object_get(total, "status"), classes[i]));
	(void)fputc('\n', out);
}

/* Rows of a long list; most == 0: all of them. */
struct rows {
	size_t most;
	size_t n;
};

static size_t
rows_most(size_t lines, size_t part)
{
	return lines > 0 && lines < part ? 1 : lines / part;
}

static bool
rows_take(struct rows *r)
{
	r->n++;
	return r->most == 0 || r->n <= r->most;
}

static void
rows_end(FILE *out, const struct rows *r)
{
	if (r->most > 0 && r->n > r->most)
		(void)fprintf(out, "and %zu more\n", r->n - r->most);
}

static void
write_workers(FILE *out, const json_t *all, struct rows rows)
{
	const json_t *w;
	size_t i;

	(void)fprintf(out, "\n%-8s %8s %10s  %-9s %11s %7s %9s\n", "WORKER",
	    "PID", "GENERATION", "STATE", "CONNECTIONS", "TUNNELS", "LAG");
	json_array_foreach(all, i, w)
	{
		char name[32];

		if (!rows_take(&rows))
			continue;
		(void)snprintf(name, sizeof(name), "%lld.%lld",
		    number_of(w, "slot"), number_of(w, "incarnation"));
		(void)fprintf(out,
		    "%-8s %8lld %10lld  %-9s %11lld %7lld %7lldus\n", name,
		    number_of(w, "pid"), number_of(w, "generation"),
		    admin_text(w, "state"), number_of(w, "connections"),
		    number_of(w, "tunnels"), number_of(w, "lag_us"));
	}
	rows_end(out, &rows);
}

/* Those that are up, or those that are not. */
static void
write_servers(FILE *out, const json_t *all, bool is_up, struct rows *rows)
{
	const json_t *u;
	const json_t *s;
	size_t i;
	size_t k;

	json_array_foreach(all, i, u)
	{
		json_array_foreach(json_object_get(u, "servers"), k, s)
		{
			if (is_up !=
				(strcmp(admin_text(s, "health"), "up") == 0) ||
			    !rows_take(rows))
				continue;
			(void)fprintf(out, "%-8s %6lld %9lld %8lld  %s %s\n",
			    admin_text(s, "health"), number_of(s, "active"),
			    number_of(s, "requests"), number_of(s, "failures"),
			    admin_text(u, "name"), admin_text(s, "address"));
		}
	}
}

static void
write_upstreams(FILE *out, const json_t *all, struct rows rows)
{
	if (json_array_size(all) > 0)
		(void)fprintf(out, "\n%-8s %6s %9s %8s  %s\n", "HEALTH",
		    "ACTIVE", "TRIES", "FAILED", "SERVER");
	write_servers(out, all, false, &rows);
	write_servers(out, all, true, &rows);
	rows_end(out, &rows);
}

static void
write_hitters(FILE *out, const json_t *top)
{
	const json_t *h;
	size_t i;

#define HITTER_KIND(id, name, heading, unit) \
	if (json_array_size(json_object_get(top, name)) > 0) \
		(void)fprintf(out, "\n%12s  %s\n", unit, heading); \
	json_array_foreach(json_object_get(top, name), i, h) \
	{ \
		if (i < ROWS_MAX) \
			(void)fprintf(out, "%12lld  %s\n", \
			    number_of(h, "count"), admin_text(h, "name")); \
	}
#include "common/store/hitter_kind.def"
#undef HITTER_KIND
}

static void
write_blocked(FILE *out, const json_t *blocked, const json_t *decisions)
{
	const json_t *l;
	size_t i;

	if (number_of(blocked, "of") > 0)
		(void)fprintf(out,
		    "\nTIMES  REFUSED OR FAILED, OF THE LAST %lld\n",
		    number_of(blocked, "of"));
	json_array_foreach(json_object_get(blocked, "lines"), i, l)
	{
		if (i == ROWS_MAX)
			break;
		(void)fprintf(out, "%5lld  %s: ", number_of(l, "count"),
		    admin_text(l, "fault"));
		decision_print_line(out, l);
	}
	json_array_foreach(decisions, i, l)
	{
		(void)fprintf(out, "%s%s  %3lld %s %s%s from %s, id %s\n",
		    i == 0 ? "\n" : "", admin_text(l, "time"),
		    number_of(l, "status"), admin_text(l, "method"),
		    admin_text(l, "host"), admin_text(l, "path"),
		    admin_text(l, "client"), admin_text(l, "request_id"));
	}
}

static void
write_reloads(FILE *out, const json_t *all)
{
	const json_t *r;
	size_t i;

	json_array_foreach(all, i, r)
	{
		if (i == ROWS_MAX)
			break;
		(void)fprintf(out, "%sreload %s  generation %lld  %s%s%s\n",
		    i == 0 ? "\n" : "", admin_text(r, "time"),
		    number_of(r, "generation"),
		    json_is_true(json_object_get(r, "ok")) ? "ok" : "REFUSED",
		    json_is_string(json_object_get(r, "problem")) ? ": " : "",
		    json_is_string(json_object_get(r, "problem"))
			? admin_text(r, "problem")
			: "");
	}
}

/* For so many lines, or all of it (0); malloc'd. */
static char *
top_text(const struct top *t, size_t lines)
{
	const json_t *status = json_object_get(t->all, "status");
	const json_t *why = json_object_get(t->all, "why");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	(void)fprintf(out, "gatehouse %s is %s, up %llds\n",
	    admin_text(status, "version"), admin_text(status, "state"),
	    number_of(status, "uptime_s"));
	write_now(out, json_object_get(t->all, "traffic"));
	write_workers(out, json_object_get(status, "workers"),
	    (struct rows){.most = rows_most(lines, WORKERS_PART)});
	write_upstreams(out, json_object_get(status, "upstreams"),
	    (struct rows){.most = rows_most(lines, SERVERS_PART)});
	write_blocked(out, json_object_get(status, "blocked"),
	    json_object_get(why, "decisions"));
	write_hitters(out, json_object_get(status, "top"));
	write_reloads(out, json_object_get(status, "reloads"));
	REQUIRE(fclose(out) == 0);
	return text;
}

/* What a terminal would obey is not sent to it. */
static void
print_plain(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char b = (unsigned char)s.p[i];

		(void)putchar((b >= ' ' && b <= '~') || b == '\n' ? b : '?');
	}
}

static void
top_print(const struct top *t)
{
	char *text =
	    t->is_json ? json_dumps(t->all, JSON_INDENT(2)) : top_text(t, 0);

	REQUIRE(text != NULL);
	if (t->is_json)
		(void)fputs(text, stdout);
	else
		print_plain(span_str(text));
	(void)putchar('\n');
	free(text);
}

/* --- a terminal ----------------------------------------------------------- */

/* A serial line, or a terminal of a container, may say that it has none. */
static struct winsize
screen_size(void)
{
	struct winsize size = {0};

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (size.ws_row == 0)
		size.ws_row = LINES_USUAL;
	if (size.ws_col == 0)
		size.ws_col = COLUMNS_USUAL;
	return size;
}

/* As many lines and columns as there are. */
static void
screen_draw(const struct top *t)
{
	struct winsize size = screen_size();
	char *text = top_text(t, size.ws_row);
	span rest = span_str(text);
	span last = SPAN_LIT("q quits");
	span line;

	(void)fputs(SCREEN_HOME, stdout);
	for (int i = 1; i < size.ws_row && span_cut(&rest, '\n', &line); i++) {
		print_plain(span_first(line, size_min(line.len, size.ws_col)));
		(void)fputs(SCREEN_LINE_END, stdout);
	}
	print_plain(span_first(last, size_min(last.len, size.ws_col)));
	(void)fputs(SCREEN_REST, stdout);
	(void)fflush(stdout);
	free(text);
}

/* Until it is time to draw again. false: it is to end. */
static bool
screen_wait(int signals)
{
	struct pollfd fds[] = {
	    {.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = signals, .events = POLLIN},
	};
	char key;

	if (poll(fds, NELEMS(fds), EVERY_MS) <= 0)
		return true;
	return fds[1].revents == 0 && read(STDIN_FILENO, &key, 1) == 1 &&
	       key != 'q' && key != CTRL_C;
}

/* Keys come at once and unseen; who ends us by a signal gets the terminal as it
 * was. */
static int
top_screen(struct top *t)
{
	struct termios usual;
	struct termios raw;
	sigset_t set;
	int signals;
	int rc = EXIT_SUCCESS;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    tcgetattr(STDIN_FILENO, &usual) < 0) {
		(void)report_errno("cannot use the terminal");
		return EXIT_FAILURE;
	}
	raw = usual;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)fputs(SCREEN_BEGIN, stdout);
	do {
		screen_draw(t);
	} while (screen_wait(signals) && (rc = top_ask(t)) == EXIT_SUCCESS);
	(void)fputs(SCREEN_END, stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &usual);
	(void)close(signals);
	return rc;
}

/* --- the command ---------------------------------------------------------- */

static bool
top_read(struct top *t, struct conf_source *src, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0)
			t->is_once = true;
		else if (strcmp(argv[i], "--json") == 0)
			t->is_json = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			src->path = argv[++i];
		else
			return false;
	}
	return !t->is_json || t->is_once;
}

int
cmd_top(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct top t = {.client = {.on_answer = top_on_answer, .self = &t}};
	int rc;

	if (!top_read(&t, &src, argc, argv)) {
		(void)fputs(
		    "usage: gatehouse top [--once [--json]] [-c FILE]\n",
		    stderr);
		return EXIT_USAGE;
	}
	if (!admin_client_find(&t.client, &src))
		return EXIT_FAILURE;
	t.all = json_object();
	rc = top_ask(&t);
	if (rc == EXIT_SUCCESS && (t.is_once || isatty(STDIN_FILENO) == 0 ||
				      isatty(STDOUT_FILENO) == 0)) {
		top_print(&t);
		rc = report_flush();
	} else if (rc == EXIT_SUCCESS) {
		rc = top_screen(&t);
	}
	json_decref(t.all);
	return rc;
}
