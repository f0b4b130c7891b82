/* serve/serve_text: long contents that many take at once: each is there once, and
 * of those that somebody still takes there are only so many. Without that, who
 * asks for a large page and takes nothing of it would have memory for each. */
#include <stdlib.h>

#include "common/serve/serve_int.h"

struct serve_text *
serve_text_new(char *p, size_t len)
{
	struct serve_text *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL && p != NULL);
	t->p = p;
	t->len = len;
	t->n_refs = 1;
	return t;
}

void
serve_text_unref(struct serve_text *t)
{
	if (t == NULL || --t->n_refs > 0)
		return;
	free(t->p);
	free(t);
}

/* Who takes the one that is taken longest has had its time. */
static void
texts_drop_oldest(struct serve *s)
{
	struct serve_text *oldest =
	    LIST_ENTRY(s->texts.next, struct serve_text, node);

	for (size_t i = 0; i < SERVE_ROOMS; i++)
		list_foreach_safe (n, &s->rooms[i].waiting) {
			if (serve_conn_of(n)->text == oldest)
				serve_conn_close(serve_conn_of(n));
		}
}

void
serve_text_take(struct serve_call *c, struct serve_text *t)
{
	struct serve *s = c->serve;

	c->text = t;
	t->n_refs++;
	if (t->n_takers++ > 0)
		return;
	if (s->n_texts == SERVE_TEXTS_MAX)
		texts_drop_oldest(s);
	list_push_back(&s->texts, &t->node);
	s->n_texts++;
}

void
serve_text_leave(struct serve_call *c)
{
	struct serve_text *t = c->text;

	if (t == NULL)
		return;
	c->text = NULL;
	if (--t->n_takers == 0) {
		list_del(&t->node);
		c->serve->n_texts--;
	}
	serve_text_unref(t);
}
