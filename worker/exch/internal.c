/* exch/internal: see internal.h. */
#include "worker/exch/internal.h"

#include "common/http/msg.h"
#include "worker/exch/exch.h"

bool
internal_pull(void *self, struct exch *y)
{
	(void)self;
	(void)y;
	return false;
}

void
internal_send_info(void *self, struct exch *y, struct http_msg *info)
{
	(void)self;
	(void)y;
	(void)info;
}

void
internal_abort(void *self, struct exch *y)
{
	(void)self;
	(void)y;
}

void
internal_get(struct exch *y)
{
	struct http_msg *m = &y->req;

	m->method = METHOD_GET;
	m->method_text = method_name(METHOD_GET);
	m->protocol = span_of(NULL, 0);
	m->want_upgrade = false;
}

void
internal_path(struct exch *y, span path)
{
	struct http_msg *m = &y->req;

	m->path = y->path = path;
	m->query = span_of(NULL, 0);
	m->has_query = false;
	m->raw_target = path;
	y->path_is_ambiguous = false;
}
