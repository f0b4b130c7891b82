/* master/decision_text: one object for each request, and a line of text for each
 * of its decisions. */
#include "master/decision_text.h"

#include "common/base/date.h"
#include "common/base/log.h"
#include "master/admin_client.h"

/* A byte becomes four, \xHH. */
#define TEXT_CAP (4 * DECISION_TEXT)
#define WORD_WIDTH 16
#define US_PER_MS 1000.0

static json_t *
text_json(span s)
{
	char text[TEXT_CAP];

	return json_stringn(text, log_escape(s, text, sizeof(text)));
}

static json_t *
line_json(const struct decision *d, uint32_t i, decision_name_f *name,
    const void *self)
{
	const struct decision_line *l = &d->lines[i];
	json_t *j = json_object();
	span file = l->line > 0 ? name(self, l->file) : span_of(NULL, 0);

	(void)json_object_set_new(
	    j, "what", json_string(decision_word_text(l->word)));
	(void)json_object_set_new(
	    j, "text", text_json(decision_line_text(d, i)));
	(void)json_object_set_new(
	    j, "file", file.len > 0 ? text_json(file) : json_null());
	(void)json_object_set_new(
	    j, "line", l->line > 0 ? json_integer(l->line) : json_null());
	return j;
}

static json_t *
client_json(const struct decision *d)
{
	char text[IP_TEXT_CAP];

	if (!d->has_client)
		return json_string("unix:");
	return json_stringn(text, ip_format(&d->client, text));
}

json_t *
decision_json(const struct decision *d, decision_name_f *name, const void *self)
{
	static const char *const parts[] = {
	    [DECISION_ID] = "request_id",
	    [DECISION_METHOD] = "method",
	    [DECISION_HOST] = "host",
	    [DECISION_TARGET] = "path",
	};
	json_t *j = json_object();
	json_t *lines = json_array();
	char time[DATE_ISO_LEN];

	date_format_iso(d->wall_us, time);
	(void)json_object_set_new(j, "time", json_stringn(time, sizeof(time)));
	for (unsigned i = 0; i < DECISION_PARTS; i++)
		(void)json_object_set_new(j, parts[i],
		    text_json(decision_part_text(d, (enum decision_part)i)));
	(void)json_object_set_new(j, "client", client_json(d));
	(void)json_object_set_new(j, "status", json_integer(d->status));
	(void)json_object_set_new(
	    j, "took_us", json_integer((json_int_t)d->took_us));
	(void)json_object_set_new(j, "generation", json_integer(d->generation));
	for (uint32_t i = 0; i < d->n_lines; i++)
		(void)json_array_append_new(lines, line_json(d, i, name, self));
	(void)json_object_set_new(j, "lines", lines);
	(void)json_object_set_new(j, "is_cut", json_boolean(d->is_cut));
	return j;
}

void
decision_print_line(FILE *out, const json_t *l)
{
	(void)fprintf(out, "%-*s %s", WORD_WIDTH, admin_text(l, "what"),
	    admin_text(l, "text"));
	if (json_is_string(json_object_get(l, "file")))
		(void)fprintf(out, "  (%s:%lld)", admin_text(l, "file"),
		    (long long)json_integer_value(json_object_get(l, "line")));
	(void)fputc('\n', out);
}

void
decision_print(FILE *out, const json_t *j)
{
	json_int_t status = json_integer_value(json_object_get(j, "status"));
	const json_t *l;
	size_t i;

	(void)fprintf(out, "%-*s %s %s%s\n", WORD_WIDTH, "request",
	    admin_text(j, "method"), admin_text(j, "host"),
	    admin_text(j, "path"));
	(void)fprintf(out, "%-*s %s at %s, id %s\n", WORD_WIDTH, "from",
	    admin_text(j, "client"), admin_text(j, "time"),
	    admin_text(j, "request_id"));
	json_array_foreach(json_object_get(j, "lines"), i, l)
	{
		decision_print_line(out, l);
	}
	if (json_is_true(json_object_get(j, "is_cut")))
		(void)fprintf(out, "%-*s %s\n", WORD_WIDTH, "...",
		    "there was no room for the rest");
	if (status == 0)
		(void)fprintf(out, "%-*s none\n", WORD_WIDTH, "answer");
	else if (json_object_get(j, "took_us") == NULL)
		(void)fprintf(out, "%-*s %lld\n", WORD_WIDTH, "answer",
		    (long long)status);
	else
		(void)fprintf(out, "%-*s %lld, after %.3f ms\n", WORD_WIDTH,
		    "answer", (long long)status,
		    (double)json_integer_value(json_object_get(j, "took_us")) /
			US_PER_MS);
}
