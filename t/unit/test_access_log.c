/* Unit tests of worker/log: lines, escaping, buffers and descriptors. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/exch_fixture.h"
#include "t/unit/unit.h"
#include "worker/log/access_log.h"
#include "worker/log/log_line.h"
#include "worker/log/log_sample.h"
#include "worker/log/log_sink.h"

/* A file without a name, opened as the master opens logs. */
static int
log_file(void)
{
	char path[] = "/tmp/gh_log_XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)unlink(path);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	return fd;
}

/* All that was written to it. */
static const char *
log_text(int fd)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

/* Behind a JSON string that begins at p (RFC 8259 7), or NULL. */
static const char *
json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			if (strspn(p + 1, "0123456789abcdefABCDEF") < 4)
				return NULL;
			p += 4;
		} else if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
	}
	return p + 1;
}

/* Behind a flat object of strings, numbers and null that begins at p, or NULL.
 */
static const char *
json_object(const char *p)
{
	if (*p != '{')
		return NULL;
	do {
		p = json_string(p + 1);
		if (p == NULL || *p++ != ':')
			return NULL;
		if (*p == '"') {
			p = json_string(p);
			if (p == NULL)
				return NULL;
		} else {
			size_t n = strncmp(p, "null", 4) == 0
				       ? 4
				       : strspn(p, "0123456789.");

			if (n == 0)
				return NULL;
			p += n;
		}
	} while (*p == ',');
	return *p == '}' ? p + 1 : NULL;
}

struct logged {
	struct fixture *f;
	struct boot_log boot[4];
	int fds[4];
};

/* A worker with the logs of this configuration, each with a file. */
static void
logged_begin(struct logged *l, const char *conf)
{
	memset(l, 0, sizeof(*l));
	l->f = fixture_new(conf);
	for (uint32_t i = 0; i < l->f->w.plan->n_logs; i++) {
		const struct conf_section *s = conf_first(l->f->conf, CONF_LOG);

		for (uint32_t k = 0; k < i; k++)
			s = s->next;
		l->fds[i] = log_file();
		l->boot[i].section = s;
		l->boot[i].fd = dup(l->fds[i]);
		l->f->boot.n_logs++;
	}
	l->f->boot.logs = l->boot;
	l->f->w.log = log_worker_new(&l->f->w);
}

/* Everything is written at the end of a worker. */
static void
logged_flush(struct logged *l)
{
	log_worker_free(l->f->w.log);
	l->f->w.log = NULL;
}

static void
logged_end(struct logged *l)
{
	uint32_t n = l->f->w.plan->n_logs;

	logged_flush(l);
	for (uint32_t i = 0; i < n; i++) {
		(void)close(l->boot[i].fd);
		(void)close(l->fds[i]);
	}
	fixture_free(l->f);
}

/* One exchange, answered and logged. */
static struct exch *
logged_request(struct logged *l, const char *head)
{
	struct exch *x = fixture_request(l->f, head);

	(void)fixture_open(x);
	x->t.end_us = x->t.begin_us + 5000;
	log_exchange(x);
	return x;
}

#define SITE "[site a.test]\nrespond = 200 hello\n"
#define GET "GET /x?y HTTP/1.1\r\nHost: a.test\r\n"

static void
expect_line(const char *format, const char *head, const char *want)
{
	struct logged l;
	char conf[512];

	snprintf(conf, sizeof(conf),
	    SITE "[log access]\npath = stdout\nformat = %s\n", format);
	logged_begin(&l, conf);
	(void)logged_request(&l, head);
	logged_flush(&l);
	ck_assert_str_eq(log_text(l.fds[0]), want);
	logged_end(&l);
}

START_TEST(a_template_makes_a_line)
{
	expect_line("{client_ip} {method} {status} {duration} {header:none}",
	    GET "\r\n", "198.51.100.7 GET 200 0.005 -\n");
}
END_TEST

START_TEST(no_value_can_forge_a_line)
{
	expect_line("\"{header:X}\" {arg:y}",
	    GET "X: a\" \\x \x80\xff\tb\r\n\r\n",
	    "\"a\\x22 \\x5Cx \\x80\\xFF\\x09b\" -\n");
	expect_line(
	    "{\"x\":\"{header:X}\",\"n\":{tries},\"m\":{origin_status}}",
	    GET "X: a\"\\\t\x80 \xc3\xa9 \xed\xa0\x80\xf0\x9f\x98\x80\r\n\r\n",
	    "{\"x\":\"a\\\"\\\\\\u0009\\ufffd \xc3\xa9 \\ufffd\\ufffd\\ufffd"
	    "\xf0\x9f\x98\x80\",\"n\":0,\"m\":null}\n");
}
END_TEST

START_TEST(combined_is_what_log_readers_expect)
{
	struct logged l;
	char ip[32], method[16], target[16], proto[16], ref[32], agent[32];
	unsigned status, bytes;

	logged_begin(&l, SITE "[log access]\npath = stdout\n");
	(void)logged_request(
	    &l, GET "Referer: http://r/\r\nUser-Agent: ua/1 (x)\r\n\r\n");
	logged_flush(&l);
	ck_assert_int_eq(
	    sscanf(log_text(l.fds[0]),
		"%31s - - [%*2d/%*3[A-Za-z]/%*4d:%*2d:%*2d:%*2d +0000] "
		"\"%15s %15s %15[^\"]\" %u %u \"%31[^\"]\" \"%31[^\"]\"\n",
		ip, method, target, proto, &status, &bytes, ref, agent),
	    8);
	ck_assert_str_eq(ip, "198.51.100.7");
	ck_assert_str_eq(target, "/x?y");
	ck_assert_str_eq(proto, "HTTP/1.1");
	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(agent, "ua/1 (x)");
	logged_end(&l);
}
END_TEST

START_TEST(json_is_json_whatever_comes)
{
	struct logged l;
	char head[1024] = GET "User-Agent: ";
	const char *p;

	for (unsigned c = 0x20; c < 256; c++)
		if (c != 0x7f)
			head[strlen(head)] = (char)c;
	strcat(head, "\r\n\r\n");
	logged_begin(&l, SITE "[log access]\npath = stdout\nformat = json\n");
	(void)logged_request(&l, head);
	/* nothing is known of this one but its peer */
	log_exchange(fixture_request(l.f, GET "\r\n"));
	logged_flush(&l);
	p = log_text(l.fds[0]);
	ck_assert_ptr_nonnull(strstr(p, "\"uri\":\"/x?y\",\"protocol\":"));
	ck_assert_ptr_nonnull(strstr(p, "\"status\":200,"));
	ck_assert_ptr_nonnull(strstr(p, "\"origin_status\":null,"));
	for (unsigned i = 0; i < 2; i++) {
		p = json_object(p);
		ck_assert_ptr_nonnull(p);
		ck_assert_int_eq(*p++, '\n');
	}
	ck_assert_int_eq(*p, '\0');
	logged_end(&l);
}
END_TEST

START_TEST(routes_and_sites_choose_their_logs)
{
	struct logged l;

	logged_begin(&l,
	    "[listen l]\naddress = :0\naccess_log = two\n"
	    "[site a.test]\nrespond = 200\n"
	    "[site b.test]\nrespond = 200\naccess_log = access two\n"
	    "[route b.test /quiet]\nrespond = 200\naccess_log = none\n"
	    "[log access]\npath = stdout\nformat = 1 {host}{path}\n"
	    "[log two]\npath = stdout\nformat = 2 {host}{path}\n");
	(void)logged_request(&l, "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n");
	(void)logged_request(&l, "GET /b HTTP/1.1\r\nHost: b.test\r\n\r\n");
	(void)logged_request(&l, "GET /quiet HTTP/1.1\r\nHost: b.test\r\n\r\n");
	(void)logged_request(&l, "GET /c HTTP/1.1\r\nHost: c.test\r\n\r\n");
	logged_flush(&l);
	ck_assert_str_eq(log_text(l.fds[0]), "1 b.test/b\n");
	ck_assert_str_eq(
	    log_text(l.fds[1]), "2 a.test/a\n2 b.test/b\n2 c.test/c\n");
	logged_end(&l);
}
END_TEST

START_TEST(lines_wait_for_the_timer_unless_told_otherwise)
{
	struct logged l;

	logged_begin(&l, SITE
	    "access_log = access now\n"
	    "[log access]\npath = stdout\nformat = a{arg:n}\n"
	    "[log now]\npath = stdout\nformat = b{arg:n}\nbuffer = none\n");
	(void)logged_request(&l, GET "\r\n");
	ck_assert_str_eq(log_text(l.fds[0]), "");
	ck_assert_str_eq(log_text(l.fds[1]), "b-\n");
	timer_wheel_advance(loop_timers(l.f->w.loop),
	    clock_mono_ms(loop_clock(l.f->w.loop)) + 2000);
	ck_assert_str_eq(log_text(l.fds[0]), "a-\n");
	logged_end(&l);
}
END_TEST

START_TEST(a_full_buffer_is_written_in_whole_lines)
{
	struct logged l;
	const char *text;

	logged_begin(&l, SITE "[log access]\npath = stdout\nformat = {path}\n"
			      "buffer = 100b\n");
	for (unsigned i = 0; i < 200; i++)
		(void)logged_request(&l, GET "\r\n");
	text = log_text(l.fds[0]);
	ck_assert_uint_ge(strlen(text), 3 * 166);
	ck_assert_str_eq(text + strlen(text) - 3, "/x\n");
	logged_flush(&l);
	ck_assert_uint_eq(strlen(log_text(l.fds[0])), 600);
	logged_end(&l);
}
END_TEST

START_TEST(reopening_loses_no_line)
{
	struct logged l;
	int other = log_file();
	int passed = dup(other);

	logged_begin(
	    &l, SITE "[log access]\npath = stdout\nformat = {arg:n}\n");
	(void)logged_request(&l, "GET /?n=1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
	log_worker_take_fd(l.f->w.log, 0, passed);
	/* an index nobody knows: only closed */
	log_worker_take_fd(l.f->w.log, 7, dup(other));
	(void)logged_request(&l, "GET /?n=2 HTTP/1.1\r\nHost: a.test\r\n\r\n");
	logged_flush(&l);
	ck_assert_str_eq(log_text(l.fds[0]), "1\n");
	ck_assert_str_eq(log_text(other), "2\n");
	ck_assert_int_eq(fcntl(l.boot[0].fd, F_GETFD), -1);
	l.boot[0].fd = passed;
	logged_end(&l);
	(void)close(other);
}
END_TEST

START_TEST(a_log_that_cannot_be_written_costs_lines_and_counts_them)
{
	struct logged l;
	int full = open("/dev/full", O_WRONLY);

	ck_assert_int_ge(full, 0);
	logged_begin(&l, SITE
	    "[log access]\npath = stdout\nformat = a{arg:n}\nbuffer = none\n");
	log_worker_take_fd(l.f->w.log, 0, full);
	for (unsigned i = 0; i < 3; i++)
		(void)logged_request(&l, GET "\r\n");
	ck_assert_uint_eq(l.f->counters.v[COUNTER_LOG_LINES_DROPPED], 3);
	l.boot[0].fd = full;
	logged_end(&l);
}
END_TEST

START_TEST(a_format_that_cannot_fit_is_refused)
{
	char conf[8192] = SITE "[log access]\npath = stdout\nformat = ";
	char *why;

	for (unsigned i = 0; i < 200; i++)
		strcat(conf, "{path}");
	strcat(conf, "\n");
	why = fixture_refused(conf);
	ck_assert_msg(strstr(why, "longer than a line") != NULL, "%s", why);
	free(why);
	why = fixture_refused(
	    SITE "[log access]\npath = stdout\nformat = {statsu}\n");
	ck_assert_msg(strstr(why, "{status}") != NULL, "%s", why);
	ck_assert_msg(strstr(why, "test.ini:5:10:") != NULL, "%s", why);
	free(why);
}
END_TEST

START_TEST(escaping_stops_before_what_does_not_fit_whole)
{
	static const char text[] = "ab\"\xc3\xa9\x01z\xf0\x9f\x98\x80\xff";
	char out[64];

	for (size_t cap = 0; cap < sizeof(out); cap++) {
		bool is_cut = false;
		size_t n = log_escape_json(SPAN_LIT(text), out, cap, &is_cut);
		char quoted[80];

		ck_assert_uint_le(n, cap);
		ck_assert_int_eq(is_cut, cap < 23);
		snprintf(quoted, sizeof(quoted), "\"%.*s\"", (int)n, out);
		ck_assert_msg(
		    json_string(quoted) == quoted + n + 2, "%s", quoted);
		is_cut = false;
		n = log_escape_text(SPAN_LIT(text), out, cap, &is_cut);
		ck_assert_uint_le(n, cap);
		ck_assert_int_eq(is_cut, cap < 39);
	}
}
END_TEST

START_TEST(json_shows_what_would_steer_a_terminal)
{
	static const struct {
		const char *text;
		const char *json;
	} cases[] = {
	    {"\xc2\x9b"
	     "31m",
		"\\u009B31m"},
	    {"\xc2\x80\xc2\x9f", "\\u0080\\u009F"},
	    {"\xe2\x80\xae"
	     "x",
		"\\u202Ex"},
	    {"\xe2\x80\xa8\xe2\x81\xa9", "\\u2028\\u2069"},
	    {"\xc2\xa0\xc3\xa9", "\xc2\xa0\xc3\xa9"},
	    {"\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf"},
	    {"\xe2\x81\xa5\xe2\x81\xaa", "\xe2\x81\xa5\xe2\x81\xaa"},
	    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		bool is_cut = false;
		char out[64];
		size_t n = log_escape_json(
		    span_str(cases[i].text), out, sizeof(out) - 1, &is_cut);

		out[n] = '\0';
		ck_assert_str_eq(out, cases[i].json);
		ck_assert(!is_cut);
	}
}
END_TEST

/* A log's format, made by hand. */
static void
format_make(struct log_format *f, struct exch *x, const char *text)
{
	struct var_src src = {
	    span_str(text), {.line = 1, .col = 1}, VAR_WHEN_END};
	struct diag *d = diag_new();

	ck_assert(tmpl_prepare(&f->tmpl, &x->arena, &src, d));
	log_format_compile(f, &x->arena);
	diag_free(d);
}

START_TEST(no_byte_escapes_its_escape)
{
	struct logged l;
	struct log_times times = {.s = -1};
	struct log_format json = {.escape = LOG_ESCAPE_JSON};
	char text[24];
	char out[LOG_LINE_MIN];
	char want[LOG_LINE_MIN];
	struct exch *x;

	logged_begin(&l, SITE);
	x = fixture_request(l.f, GET "\r\n");
	format_make(&json, x, "{request_id}");
	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++)
			for (int c = 0; c < 256; c++) {
				bool is_cut = false;
				size_t n;

				memset(text, 'a', len);
				text[at] = (char)c;
				x->request_id = span_of(text, len);
				n = log_escape_json(
				    x->request_id, want, sizeof(want), &is_cut);
				ck_assert_uint_eq(log_line(&json, &times, x,
						      out, sizeof(out)),
				    n + 1);
				ck_assert(memcmp(out, want, n) == 0 &&
					  out[n] == '\n');
			}
	logged_end(&l);
}
END_TEST

START_TEST(a_long_line_is_cut_in_its_values_only)
{
	struct logged l;
	struct log_times times = {.s = -1};
	struct log_format format = {.escape = LOG_ESCAPE_JSON};
	char head[8192] = GET "A: ";
	char out[LOG_LINE_MIN];
	struct exch *x;
	size_t n;

	memset(head + strlen(head), '"', 7000);
	strcat(head, "\r\n\r\n");
	logged_begin(&l, SITE);
	x = fixture_request(l.f, head);
	format_make(&format, x, "{\"a\":\"{header:A}\",\"m\":\"{method}\"}");
	n = log_line(&format, &times, x, out, sizeof(out));
	ck_assert_uint_gt(n, sizeof(out) / 3);
	ck_assert_int_eq(out[n - 1], '\n');
	ck_assert_ptr_eq(json_object(out), out + n - 1);
	out[n - 1] = '\0';
	ck_assert_str_eq(
	    out + n - 1 - strlen(",\"m\":\"GET\"}"), ",\"m\":\"GET\"}");
	logged_end(&l);
}
END_TEST

static void
sink_put(struct log_sink *s, size_t len)
{
	size_t cap;
	char *p = log_sink_room(s, &cap);

	if (p == NULL)
		return;
	ck_assert_uint_ge(cap, len);
	memset(p, 'x', len - 1);
	p[len - 1] = '\n';
	log_sink_added(s, len);
}

START_TEST(a_pipe_that_nobody_reads_does_not_stop_us)
{
	char buf[LOG_LINE_MIN];
	struct log_sink s;
	uint64_t n_got = 0;
	uint64_t n_put = 0;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	log_sink_init(&s, fds[1], 65536);
	while (s.n_lost == 0) {
		sink_put(&s, 1000);
		n_put++;
		ck_assert_uint_lt(n_put, 1000);
	}
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	for (;;) {
		ssize_t n = read(fds[0], buf, sizeof(buf));

		if (n < 0) {
			if (s.len == 0)
				break;
			log_sink_flush(&s);
			continue;
		}
		/* whole lines in every piece that went in */
		for (ssize_t i = 0; i < n; i++)
			n_got += buf[i] == '\n';
	}
	ck_assert_uint_eq(n_got, n_put - s.n_lost);
	log_sink_fini(&s);
	(void)close(fds[0]);
	(void)close(fds[1]);
}
END_TEST

START_TEST(a_half_written_line_is_finished_before_all_else)
{
	struct log_sink s;
	int fds[2];
	char buf[65536];

	/* a full non-blocking pipe with room for a part of a line */
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	log_sink_init(&s, fds[1], 65536);
	s.is_stream = false; /* as if a disk filled up */
	sink_put(&s, 30000);
	sink_put(&s, 30000);
	sink_put(&s, 30000);
	ck_assert_uint_eq(s.len, 90000 - 65536);
	ck_assert_uint_eq(s.torn, 90000 - 65536);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)), 65536);
	(void)close(fds[0]);
	(void)close(fds[1]);
	s.fd = open("/dev/full", O_WRONLY);
	ck_assert_int_ge(s.fd, 0);
	sink_put(&s, 100);
	log_sink_flush(&s);
	/* the whole line is lost, the rest of the torn one is kept */
	ck_assert_uint_eq(s.n_lost, 1);
	ck_assert_uint_eq(s.len, 90000 - 65536);
	(void)close(s.fd);
	log_sink_fini(&s);
}
END_TEST

/* --- sampling ------------------------------------------------------------- */

static bool
sample_of(struct exch *x, const char *text, struct log_sample *s)
{
	struct var_src src = {
	    span_str(text), {.line = 1, .col = 10}, VAR_WHEN_END};
	struct diag *d = diag_new();
	bool ok = log_sample_prepare(s, &x->arena, &src, d);

	ck_assert_msg(ok == (diag_count(d, DIAG_ERROR) == 0), "%s", text);
	diag_free(d);
	return ok;
}

START_TEST(a_sample_is_a_share_and_what_is_kept_always)
{
	static const char *const good[] = {"", "1%", "0%", "100%", "0.0001%",
	    "12.5%", "1% unless status>=400",
	    "1%  unless  status>=400  or time>1s or fault",
	    "5% unless header:X-A = \"a or b\" or path ~ ^/x"};
	static const char *const bad[] = {"1", "%", "101%", "100.1%", "1.%",
	    "0.00001%", "-1%", "1 %", "a%", "1.a%", "1% if status = 1",
	    "1% unless", "1% unless or", "1% unless status>=400 or",
	    "1% unless stat>=400", "1% unless time>1",
	    "1% unless path ~ ( or status = 1", "1% unless path = \"a"};
	struct fixture *f = fixture_new("[site s]\nrespond = 200\n");
	struct exch *x =
	    fixture_request(f, "GET / HTTP/1.1\r\nHost: s\r\n\r\n");
	struct log_sample s;

	for (size_t i = 0; i < NELEMS(good); i++) {
		ck_assert_msg(sample_of(x, good[i], &s), "%s", good[i]);
		log_sample_fini(&s);
	}
	for (size_t i = 0; i < NELEMS(bad); i++) {
		ck_assert_msg(!sample_of(x, bad[i], &s), "%s", bad[i]);
		log_sample_fini(&s);
	}
	fixture_free(f);
}
END_TEST

START_TEST(a_share_is_kept_by_the_name_of_the_request)
{
	struct fixture *f = fixture_new("[site s]\nrespond = 200\n");
	struct exch *x =
	    fixture_request(f, "GET / HTTP/1.1\r\nHost: s\r\n\r\n");
	struct log_sample s, more, none;
	uint32_t n = 0;

	ck_assert(sample_of(x, "10%", &s) && sample_of(x, "11%", &more) &&
		  sample_of(x, "0%", &none));
	for (uint32_t i = 0; i < 10000; i++) {
		x->request_id = arena_printf(&x->arena, "id-%u", i);
		if (!log_sample_keeps(&s, x))
			continue;
		n++;
		/* again, and in every larger share */
		ck_assert(log_sample_keeps(&s, x));
		ck_assert(log_sample_keeps(&more, x));
		ck_assert(!log_sample_keeps(&none, x));
	}
	/* what these names give, on every machine */
	ck_assert_uint_eq(n, 983);
	fixture_free(f);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_template_makes_a_line,
	    no_value_can_forge_a_line,
	    combined_is_what_log_readers_expect,
	    json_is_json_whatever_comes,
	    routes_and_sites_choose_their_logs,
	    lines_wait_for_the_timer_unless_told_otherwise,
	    a_full_buffer_is_written_in_whole_lines,
	    reopening_loses_no_line,
	    a_log_that_cannot_be_written_costs_lines_and_counts_them,
	    a_format_that_cannot_fit_is_refused,
	    escaping_stops_before_what_does_not_fit_whole,
	    json_shows_what_would_steer_a_terminal,
	    no_byte_escapes_its_escape,
	    a_long_line_is_cut_in_its_values_only,
	    a_pipe_that_nobody_reads_does_not_stop_us,
	    a_half_written_line_is_finished_before_all_else,
	    a_sample_is_a_share_and_what_is_kept_always,
	    a_share_is_kept_by_the_name_of_the_request,
	};

	return unit_run("log/access_log", tests, NELEMS(tests));
}
