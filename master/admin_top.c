/* master/admin_top: who comes most often of late, as the workers have counted
 * it together. The names are the clients' words: all but plain ASCII is escaped
 * here, so that who prints them needs not. */
#include <string.h>

#include "common/base/ip.h"
#include "common/base/log.h"
#include "common/store/hitters.h"
#include "master/admin.h"

/* Of each kind. */
#define TOP_MAX 10u
/* A byte becomes four, \xHH. */
#define NAME_CAP (4 * HITTERS_TEXT + sizeof("..."))

static const char *const kind_names[HITTERS_N] = {
#define HITTER_KIND(id, name, heading, unit) [HITTER_##id] = name,
#include "common/store/hitter_kind.def"
#undef HITTER_KIND
};

/* Of IPv6 it is a network. */
static json_t *
top_client(const struct hitter *h)
{
	char text[IP_TEXT_CAP + sizeof("/64")];
	struct ip ip;
	size_t len;

	memcpy(ip.b, h->text, sizeof(ip.b));
	len = ip_format(&ip, text);
	if (!ip_is_v4(&ip))
		memcpy(text + len, "/64", sizeof("/64"));
	return json_string(text);
}

static json_t *
top_name(enum hitter_kind kind, const struct hitter *h)
{
	char text[NAME_CAP];
	size_t len;

	if (kind == HITTER_CLIENT)
		return top_client(h);
	if (h->len == 0)
		return json_string("-");
	len = log_escape(span_of(h->text, h->len), text, sizeof(text));
	if (h->is_cut) {
		memcpy(text + len, "...", strlen("..."));
		len += strlen("...");
	}
	return json_stringn(text, len);
}

static json_t *
top_kind(const struct admin *a, enum hitter_kind kind)
{
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct hitter top[TOP_MAX];
	uint32_t n = hitters_top(b->hitters, b->slots, me, kind,
	    clock_mono_ms(loop_clock(a->loop)), top, TOP_MAX);
	json_t *all = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *j = json_object();

		(void)json_object_set_new(j, "name", top_name(kind, &top[i]));
		(void)json_object_set_new(
		    j, "count", json_integer((json_int_t)top[i].count));
		(void)json_object_set_new(
		    j, "error", json_integer((json_int_t)top[i].error));
		(void)json_array_append_new(all, j);
	}
	return all;
}

json_t *
admin_status_top(const struct admin *a)
{
	json_t *j = json_object();

	(void)json_object_set_new(
	    j, "half_life_s", json_integer(HITTERS_HALF_MS / 1000));
	(void)json_object_set_new(j, "not_counted",
	    json_integer((json_int_t)hitters_dropped(a->boot->hitters)));
	for (uint32_t i = 0; i < HITTERS_N; i++)
		(void)json_object_set_new(
		    j, kind_names[i], top_kind(a, (enum hitter_kind)i));
	return j;
}
