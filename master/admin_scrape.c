/* master/admin_scrape: who gets the page of metrics, in which format, and how often
 * it is made anew. Of 2,000 upstreams it has 34 MB and takes 0.3 s, in which the steward
 * does nothing else, and it may be open to who has no token. */
#include <stdlib.h>

#include "common/base/check.h"
#include "master/admin.h"

#define TYPE_PLAIN "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
/* A page is given to others for so many times what it took to make: so making
 * them takes a fifth of all time at most. */
#define KEEP_TIMES 5u

/* The newest page of a format. */
struct scrape_page {
	struct serve_text *text; /* NULL: none that is new enough */
	struct timer over;
	struct scrape *scrape;
};

struct scrape {
	struct admin *admin;
	struct scrape_page plain;
	struct scrape_page open;
};

static void
page_forget(void *self)
{
	struct scrape_page *p = self;

	serve_text_unref(p->text);
	p->text = NULL;
}

static void
page_init(struct scrape_page *p, struct scrape *s)
{
	p->scrape = s;
	timer_init(&p->over, page_forget, p);
}

struct scrape *
scrape_new(struct admin *a)
{
	struct scrape *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->admin = a;
	page_init(&s->plain, s);
	page_init(&s->open, s);
	return s;
}

void
scrape_free(struct scrape *s)
{
	loop_timer_clear(s->admin->loop, &s->plain.over);
	loop_timer_clear(s->admin->loop, &s->open.over);
	page_forget(&s->plain);
	page_forget(&s->open);
	free(s);
}

static void
page_make(struct scrape_page *p)
{
	const struct admin *a = p->scrape->admin;
	uint64_t began_us = clock_mono_us();
	uint64_t took_us;

	p->text = admin_metrics_page(a, p == &p->scrape->open);
	took_us = clock_mono_us() - began_us;
	loop_timer_set(
	    a->loop, &p->over, (uint32_t)(took_us * KEEP_TIMES / 1000));
}

/* Prometheus names the format that it likes best first. */
static bool
wants_open(const struct serve_call *c)
{
	const struct http_field *f =
	    fields_find(&serve_request(c)->fields, FIELD_ACCEPT);
	ptrdiff_t open;
	ptrdiff_t plain;

	if (f == NULL)
		return false;
	open = span_find(f->value, SPAN_LIT("application/openmetrics-text"));
	plain = span_find(f->value, SPAN_LIT("text/plain"));
	return open >= 0 && (plain < 0 || open < plain);
}

void
admin_on_metrics(void *self, struct serve_call *c)
{
	struct admin *a = self;
	bool is_open = wants_open(c);
	struct scrape_page *p = is_open ? &a->scrape->open : &a->scrape->plain;

	if (!admin_begin_metrics(a, c))
		return;
	if (p->text == NULL)
		page_make(p);
	serve_field(c, SPAN_LIT("Cache-Control"), SPAN_LIT("no-store"));
	serve_answer_text(c, 200,
	    is_open ? SPAN_LIT(TYPE_OPEN) : SPAN_LIT(TYPE_PLAIN), p->text);
}
