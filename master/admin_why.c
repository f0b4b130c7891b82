/* master/admin_why: what was decided about requests of late, out of the rings
 * that the workers write (store/decisions). */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/decisions.h"
#include "master/admin.h"
#include "master/decision_text.h"

/* Told of at once. */
#define WHY_MAX 1000u
/* Lines of the configuration that refuse most. */
#define BLOCKED_MAX 10u

struct why_asked {
	span id; /* p == NULL: the last ones */
	uint64_t last;
	bool only_refused;
};

static span
why_file(const void *self, uint16_t file)
{
	const struct admin *a = self;

	return decisions_file_name(a->boot->decisions, file);
}

static bool
why_read_one(struct why_asked *w, span one)
{
	ptrdiff_t eq = span_chr(one, '=');
	span name = eq < 0 ? one : span_first(one, (size_t)eq);
	span value = eq < 0 ? span_of(NULL, 0) : span_from(one, (size_t)eq + 1);

	if (span_eq(name, SPAN_LIT("id")) && value.len > 0)
		w->id = value;
	else if (span_eq(name, SPAN_LIT("last")))
		return span_u64(value, WHY_MAX, &w->last) && w->last > 0;
	else if (span_eq(one, SPAN_LIT("refused")))
		w->only_refused = true;
	else
		return false;
	return true;
}

/* `id=ID`, or `last=N`, which may be followed by `refused`. */
static bool
why_read(struct why_asked *w, span query)
{
	span one;

	while (span_cut(&query, '&', &one))
		if (!why_read_one(w, one))
			return false;
	return (w->id.p != NULL) != (w->last > 0);
}

static bool
why_wants(const struct why_asked *w, const struct decision *d)
{
	return w->id.p == NULL ||
	       span_eq(decision_part_text(d, DECISION_ID), w->id);
}

/* A name that came from outside may be there several times. */
static json_t *
why_find(const struct admin *a, const struct why_asked *w)
{
	uint64_t most = w->id.p != NULL ? WHY_MAX : w->last;
	struct decisions_look *l = malloc(sizeof(*l));
	json_t *found = json_array();
	struct decision d;

	REQUIRE(l != NULL);
	decisions_look_init(l, a->boot->decisions, w->only_refused);
	while (json_array_size(found) < most && decisions_look_next(l, &d))
		if (why_wants(w, &d))
			(void)json_array_append_new(
			    found, decision_json(&d, why_file, a));
	free(l);
	return found;
}

/* --- what refuses most ---------------------------------------------------- */

/* The line that decided: the last one but for what it came to. */
static json_t *
blocked_line(const json_t *lines)
{
	json_t *last = json_array_get(lines, json_array_size(lines) - 1);
	json_t *before = json_array_get(lines, json_array_size(lines) - 2);
	const char *text = json_string_value(json_object_get(last, "text"));
	bool is_fault = last != NULL &&
			strcmp(json_string_value(json_object_get(last, "what")),
			    "fault") == 0;
	json_t *line;

	line = is_fault && before != NULL ? json_copy(before) : json_copy(last);
	if (line != NULL)
		(void)json_object_set_new(line, "fault",
		    is_fault ? json_stringn(text, strcspn(text, ":"))
			     : json_null());
	return line;
}

static void
blocked_count(json_t *by_line, const json_t *decision)
{
	json_t *line = blocked_line(json_object_get(decision, "lines"));
	json_t *seen;
	json_t *named;
	char *key;

	if (line == NULL)
		return;
	/* a text that holds who it was would make lines of one each */
	named = json_copy(line);
	if (!json_is_null(json_object_get(line, "line")))
		(void)json_object_del(named, "text");
	key = json_dumps(named, JSON_COMPACT);
	json_decref(named);
	REQUIRE(key != NULL);
	if (json_object_get(by_line, key) == NULL)
		(void)json_object_set(by_line, key, line);
	seen = json_object_get(by_line, key);
	(void)json_object_set_new(seen, "count",
	    json_integer(
		json_integer_value(json_object_get(seen, "count")) + 1));
	json_decref(line);
	free(key);
}

/* Take the largest out. */
static json_t *
blocked_take(json_t *by_line)
{
	const char *best = NULL;
	json_int_t most = 0;
	const char *key;
	json_t *line;

	json_object_foreach(by_line, key, line)
	{
		json_int_t n =
		    json_integer_value(json_object_get(line, "count"));

		if (n > most) {
			best = key;
			most = n;
		}
	}
	if (best == NULL)
		return NULL;
	line = json_incref(json_object_get(by_line, best));
	(void)json_object_del(by_line, best);
	return line;
}

json_t *
admin_status_blocked(const struct admin *a)
{
	const struct why_asked all = {
	    .last = DECISIONS_KEPT, .only_refused = true};
	json_t *found = why_find(a, &all);
	json_t *by_line = json_object();
	json_t *lines = json_array();
	json_t *j = json_object();
	const json_t *one;
	json_t *line;
	size_t i;

	json_array_foreach(found, i, one)
	{
		blocked_count(by_line, one);
	}
	while (json_array_size(lines) < BLOCKED_MAX &&
	       (line = blocked_take(by_line)) != NULL)
		(void)json_array_append_new(lines, line);
	(void)json_object_set_new(
	    j, "of", json_integer((json_int_t)json_array_size(found)));
	(void)json_object_set_new(j, "lines", lines);
	json_decref(by_line);
	json_decref(found);
	return j;
}

/* --- the interface -------------------------------------------------------- */

void
admin_on_why(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	struct why_asked w = {.last = 0};
	json_t *found;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	if (!why_read(&w, serve_request(c)->query)) {
		admin_refuse(c, 400,
		    "expected ?id=ID, or ?last=N (1 to 1000), or "
		    "?last=N&refused");
		return;
	}
	found = why_find(a, &w);
	if (w.id.p != NULL && json_array_size(found) == 0) {
		json_decref(found);
		admin_refuse(c, 404,
		    "no request of that id is kept: it is too long ago, had "
		    "no id, or recent_decisions is off");
		return;
	}
	j = json_object();
	(void)json_object_set_new(j, "decisions", found);
	(void)json_object_set_new(j, "not_kept",
	    json_integer((json_int_t)decisions_dropped(a->boot->decisions)));
	admin_answer(c, 200, j);
}
