/* fuzz/match: any bytes as a line of a condition, judged on an exchange. It is
 * refused with a message or compiled; judging gives the same twice, and the
 * contrary behind `!`. */
#include "t/fuzz/fuzz.h"

#include "common/http/h1.h"
#include "common/ipc/boot.h"
#include "worker/exch/exch.h"
#include "worker/exch/match.h"
#include "worker/prepare.h"

static const char scene_conf[] = "[listen front]\naddress = 127.0.0.1:1\n"
				 "[site a.test]\nrespond = 200\n";
static const char request[] =
    "POST /x/File.zip?b=1&c&d=%20 HTTP/1.1\r\nHost: A.Test:81\r\n"
    "Cookie: one=1; two=\r\nCookie: three=3\r\nX-List: a\r\nX-List: b c\r\n"
    "Empty:\r\nContent-Length: 4\r\n\r\n";
static const struct h1_limits limits = {8192, 65536, 256};

/* What an exchange stands in, made once. */
struct scene {
	struct conf_tree *conf;
	struct boot boot;
	struct prepared *prepared;
	struct worker w;
	struct counter_set counters;
};

static bool
scene_pull(void *self, struct exch *x)
{
	(void)self;
	(void)x;
	return false;
}

static const struct front_ops front = {.name = "fuzz", .pull = scene_pull};

static void
scene_open(struct scene *s)
{
	struct diag *d = diag_new();

	memset(s, 0, sizeof(*s));
	s->conf = conf_load_text("fuzz", span_str(scene_conf), d);
	REQUIRE(s->conf != NULL);
	s->boot.conf = s->conf;
	s->prepared = worker_prepare(&s->boot, d);
	REQUIRE(s->prepared != NULL);
	diag_free(d);
	s->w.boot = &s->boot;
	s->w.plan = prepared_plan(s->prepared);
	s->w.counters = &s->counters;
	s->w.loop = loop_new();
	REQUIRE(s->w.loop != NULL);
	arena_pool_init(&s->w.arenas, 8);
	buf_pool_init(&s->w.bufs, 8);
}

static struct exch *
scene_exch(struct scene *s)
{
	struct exch *x = exch_new(&s->w, &front, s, &s->w.plan->listens[0]);
	enum h1_bad bad = H1_BAD_NONE;
	struct h1_scan scan = {.at = 0};
	span head = arena_span(&x->arena, span_str(request));

	REQUIRE(h1_scan(&scan, H1_REQUEST, head, &limits) == H1_OK);
	REQUIRE(h1_parse_request(head, &x->arena, &x->req, &bad) == H1_OK);
	REQUIRE(ip_parse(SPAN_LIT("198.51.100.7"), &x->client.peer));
	return x;
}

static void
scene_exch_free(struct exch *x)
{
	struct arena a;

	body_fini(&x->req_body);
	body_fini(&x->resp_body);
	a = x->arena;
	arena_fini(&a);
}

static struct match *
compile(struct exch *x, span line)
{
	struct var_src src = {line, {.line = 1, .col = 1}, VAR_WHEN_END};
	struct diag *d = diag_new();
	struct match *m = match_new(&x->arena, &src, d);

	REQUIRE((m == NULL) == (diag_count(d, DIAG_ERROR) > 0));
	free(diag_render(d));
	diag_free(d);
	return m;
}

static enum match_rc
contrary(enum match_rc rc)
{
	if (rc == MATCH_NO)
		return MATCH_YES;
	return rc == MATCH_YES ? MATCH_NO : rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scene s; /* a program of its own */
	span in = fuzz_dup(span_of((const char *)data, size));
	span parts[2] = {SPAN_LIT("!"), in};
	struct match *m, *not ;
	enum match_rc rc;
	struct exch *x;

	if (s.conf == NULL)
		scene_open(&s);
	x = scene_exch(&s);
	m = compile(x, in);
	if (m != NULL) {
		rc = match_eval(m, x);
		REQUIRE(rc == match_eval(m, x));
		not = compile(x, arena_concat(&x->arena, parts, 2));
		if (not != NULL && in.p[0] != '!')
			REQUIRE(match_eval(not, x) == contrary(rc));
		match_free(not );
	}
	match_free(m);
	scene_exch_free(x);
	fuzz_free(in);
	return 0;
}
