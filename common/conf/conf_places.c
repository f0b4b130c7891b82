/* conf/conf_places: `queue` is a number and a time; the other limits are
 * numbers of their own. */
#include "common/conf/conf_places.h"

#include "common/conf/conf_int.h"

#define WAIT_DEFAULT_MS 1000u
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS (INT64_C(3600) * 1000)
#define ROOM_MAX 1000000
#define LIMIT_MAX 1000000u
#define TIMEOUT "timeout="

#define limits_error(d, at, ...) \
	do { \
		if ((d) != NULL) \
			diag_error(d, at, __VA_ARGS__); \
	} while (0)

uint32_t
conf_places_server(const struct conf_value *line)
{
	span text;
	uint64_t n;

	if (conf_option(line, "max_connections", &text) &&
	    span_u64(text, LIMIT_MAX, &n))
		return (uint32_t)n;
	return 0;
}

static void
queue_read_room(
    const struct conf_word *w, struct conf_places *out, struct diag *d)
{
	const char *why = NULL;
	int64_t n = 0;

	if (!conf_parse_number(KIND_NUM, w->text, &n, &why))
		limits_error(d, w->at, "queue: %.*s: %s",
		    SPAN_FMT(conf_brief(w->text)), why);
	else if (n < 1 || n > ROOM_MAX)
		limits_error(d, w->at, "queue: %.*s: between 1 and 1m",
		    SPAN_FMT(conf_brief(w->text)));
	else
		out->room = (uint32_t)n;
}

static void
queue_read_time(
    const struct conf_word *w, struct conf_places *out, struct diag *d)
{
	const char *why = NULL;
	int64_t ms = 0;

	if (!span_starts(w->text, SPAN_LIT(TIMEOUT)))
		limits_error(d, w->at,
		    "queue: unknown word '%.*s'; expected " TIMEOUT "TIME",
		    SPAN_FMT(conf_brief(w->text)));
	else if (!conf_parse_duration(
		     span_from(w->text, sizeof(TIMEOUT) - 1), &ms, &why))
		limits_error(d, w->at, "queue: %.*s: %s",
		    SPAN_FMT(conf_brief(w->text)), why);
	else if (ms < WAIT_MIN_MS || ms > WAIT_MAX_MS)
		limits_error(d, w->at, "queue: %.*s: between 1ms and 1h",
		    SPAN_FMT(conf_brief(w->text)));
	else
		out->wait_ms = (uint64_t)ms;
}

static void
queue_read(const struct conf_value *v, struct conf_places *out, struct diag *d)
{
	out->wait_ms = WAIT_DEFAULT_MS;
	queue_read_room(&v->words[0], out, d);
	if (v->n_words > 1)
		queue_read_time(&v->words[1], out, d);
	if (v->n_words > 2)
		limits_error(d, v->words[2].at,
		    "queue takes a number and " TIMEOUT "TIME, no more");
}

void
conf_places_read(
    const struct conf_scope *s, struct conf_places *out, struct diag *d)
{
	const struct conf_value *queue = conf_get(s, KEY_UPSTREAM_QUEUE);
	const struct conf_value *v;
	struct conf_iter it = {NULL, 0, false};
	struct conf_iter lines = {NULL, 0, false};

	*out = (struct conf_places){
	    .is_adaptive = conf_bool(s, KEY_UPSTREAM_ADAPTIVE),
	    .most = (uint32_t)conf_num(s, KEY_UPSTREAM_MAX_CONNECTIONS),
	};
	out->is_on = out->is_adaptive || out->most > 0;
	while ((v = conf_next(s, KEY_UPSTREAM_SERVER, &it)) != NULL)
		out->is_on |= conf_places_server(v) > 0;
	if (queue == NULL || queue->n_words == 0 ||
	    span_eq(queue->text, SPAN_LIT("none")))
		return;
	(void)conf_next(s, KEY_UPSTREAM_QUEUE, &lines);
	v = conf_next(s, KEY_UPSTREAM_QUEUE, &lines);
	if (v != NULL)
		limits_error(d, v->key_at, "queue stands twice");
	queue_read(queue, out, d);
	if (!out->is_on)
		limits_error(d, queue->key_at,
		    "queue waits for nothing: no max_connections, nor "
		    "adaptive");
}
