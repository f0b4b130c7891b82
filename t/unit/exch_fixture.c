/* exch_fixture: stands in for front and loop. */
#include "t/unit/exch_fixture.h"

#include <check.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/http/h1.h"
#include "worker/log/access_log.h"
#include "worker/route/route.h"

#define FIXTURE_BODY 65536

static const struct h1_limits limits = {8192, 65536, 256};

static bool
fixture_pull(void *self, struct exch *x)
{
	(void)self;
	(void)x;
	return false;
}

static const struct front_ops front = {
    .name = "test",
    .pull = fixture_pull,
};

struct fixture *
fixture_new(const char *conf)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *why;

	ck_assert_ptr_nonnull(f);
	f->diag = diag_new();
	f->conf = conf_load_text("test.ini", span_str(conf), f->diag);
	f->boot.conf = f->conf;
	if (f->conf != NULL)
		f->prepared = worker_prepare(&f->boot, f->diag);
	why = diag_render(f->diag);
	ck_assert_msg(f->prepared != NULL, "%s", why);
	free(why);
	f->w.boot = &f->boot;
	f->w.plan = prepared_plan(f->prepared);
	f->w.counters = &f->counters;
	f->w.loop = loop_new();
	ck_assert_ptr_nonnull(f->w.loop);
	arena_pool_init(&f->w.arenas, 8);
	buf_pool_init(&f->w.bufs, 8);
	return f;
}

static void
fixture_end(struct fixture *f)
{
	struct exch *x = f->x;
	struct arena a;

	f->x = NULL;
	if (x == NULL)
		return;
	body_fini(&x->req_body);
	body_fini(&x->resp_body);
	a = x->arena;
	arena_fini(&a);
}

void
fixture_free(struct fixture *f)
{
	fixture_end(f);
	ck_assert_uint_eq(f->w.arenas.n_live, 0);
	log_worker_free(f->w.log);
	buf_pool_fini(&f->w.bufs);
	arena_pool_fini(&f->w.arenas);
	loop_free(f->w.loop);
	worker_prepare_free(f->prepared);
	conf_free(f->conf);
	diag_free(f->diag);
	free(f);
}

char *
fixture_refused(const char *conf)
{
	struct diag *d = diag_new();
	struct boot b = {.conf = conf_load_text("test.ini", span_str(conf), d)};
	char *why;

	if (b.conf != NULL)
		ck_assert_ptr_null(worker_prepare(&b, d));
	why = diag_render(d);
	ck_assert_uint_gt(diag_count(d, DIAG_ERROR), 0);
	conf_free((struct conf_tree *)(uintptr_t)b.conf);
	diag_free(d);
	return why;
}

struct exch *
fixture_request(struct fixture *f, const char *head)
{
	enum h1_bad bad = H1_BAD_NONE;
	struct h1_scan scan;
	struct exch *x;
	span text;

	fixture_end(f);
	x = exch_new(&f->w, &front, f, &f->w.plan->listens[0]);
	f->x = x;
	text = arena_span(&x->arena, span_str(head));
	memset(&scan, 0, sizeof(scan));
	ck_assert_int_eq(h1_scan(&scan, H1_REQUEST, text, &limits), H1_OK);
	text = span_first(text, scan.at);
	ck_assert_msg(h1_parse_request(text, &x->arena, &x->req, &bad) == H1_OK,
	    "%s", h1_bad_text(bad));
	ck_assert(ip_parse(SPAN_LIT("198.51.100.7"), &x->client.peer));
	x->client.peer_port = 4711;
	x->client.local_port = 80;
	x->t.begin_us = loop_clock(f->w.loop)->mono_us;
	x->bytes_in = text.len;
	return x;
}

enum verdict
fixture_stages(struct exch *x)
{
	typedef enum verdict stage_f(struct exch *);
	static stage_f *const stages[] = {stage_normalize, stage_client,
	    stage_route, stage_rules, stage_admit, stage_request_fields};
	enum verdict v = VERDICT_NEXT;

	for (size_t i = 0; i < NELEMS(stages) && v == VERDICT_NEXT; i++)
		v = stages[i](x);
	return v;
}

enum verdict
fixture_open(struct exch *x)
{
	enum verdict v = fixture_stages(x);

	return v == VERDICT_NEXT ? x->set->handler->open(x) : v;
}

const char *
fixture_str(struct exch *x, span s)
{
	return arena_span(&x->arena, s).p;
}

const char *
fixture_field(struct exch *x, struct http_fields *f, const char *name)
{
	span out = span_of(NULL, 0);

	fields_foreach(fld, f)
	{
		span parts[3] = {out, SPAN_LIT(" | "), fld->value};

		if (!span_ieq(fld->name, span_str(name)))
			continue;
		out = out.p == NULL ? fld->value
				    : arena_concat(&x->arena, parts, 3);
	}
	return out.p == NULL ? NULL : fixture_str(x, out);
}

const char *
fixture_content(struct exch *x)
{
	struct iovec iov[BODY_SLICES];
	uint64_t bytes;
	span all = SPAN_LIT("");
	int n =
	    body_peek(&x->resp_body, iov, BODY_SLICES, FIXTURE_BODY, &bytes);

	for (int i = 0; i < n; i++) {
		span parts[2] = {all, span_of(iov[i].iov_base, iov[i].iov_len)};

		all = arena_concat(&x->arena, parts, 2);
	}
	return fixture_str(x, all);
}
