/* master/admin_ban: who is banned, and what the operator wants of it, in the
 * list that all workers share. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "common/store/bans.h"
#include "master/admin.h"

/* Bans told of in status, and in an answer to who asks for them. */
#define STATUS_BANS_MAX 100u
#define ANSWER_BANS_MAX 4096u

static uint64_t
now_ms(const struct admin *a)
{
	return clock_mono_ms(loop_clock(a->loop));
}

static json_t *
ban_json(const struct admin *a, const struct ban *b)
{
	json_t *j = json_object();
	char ip[IP_TEXT_CAP + sizeof("/64")];
	char until[DATE_ISO_LEN];
	size_t len = ip_format(&b->ip, ip);

	if (!ip_is_v4(&b->ip))
		memcpy(ip + len, "/64", sizeof("/64"));
	date_format_iso(loop_clock(a->loop)->wall_us +
			    (int64_t)(b->until_ms - now_ms(a)) * 1000,
	    until);
	(void)json_object_set_new(j, "address", json_string(ip));
	(void)json_object_set_new(j, "why", json_string(ban_why_name(b->why)));
	(void)json_object_set_new(
	    j, "until", json_stringn(until, sizeof(until)));
	(void)json_object_set_new(j, "left_s",
	    json_integer((json_int_t)(b->until_ms - now_ms(a)) / 1000));
	return j;
}

/* All numbers, and the first so many. */
static json_t *
bans_json(const struct admin *a, size_t most)
{
	const struct bans *bans = a->boot->bans;
	json_t *j = json_object();
	json_t *list = json_array();
	uint32_t at = 0;
	json_int_t n = 0;
	struct ban b;

	while (bans_next(bans, now_ms(a), &at, &b))
		if (++n <= (json_int_t)most)
			(void)json_array_append_new(list, ban_json(a, &b));
	(void)json_object_set_new(j, "count", json_integer(n));
	(void)json_object_set_new(j, "most", json_integer(BANS_MAX));
	(void)json_object_set_new(
	    j, "added", json_integer((json_int_t)bans_added(bans)));
	(void)json_object_set_new(
	    j, "evicted", json_integer((json_int_t)bans_evicted(bans)));
	(void)json_object_set_new(j, "list", list);
	return j;
}

json_t *
admin_status_bans(const struct admin *a)
{
	return bans_json(a, STATUS_BANS_MAX);
}

void
admin_on_bans(void *self, struct serve_call *c)
{
	const struct admin *a = self;

	if (admin_begin(a, c))
		admin_answer(c, 200, bans_json(a, ANSWER_BANS_MAX));
}

/* Who it was goes into the log. */
static void
ban_log(struct serve_call *c, const struct ip *ip, const char *what)
{
	char text[IP_TEXT_CAP];
	char who[ADMIN_WHO_CAP];

	(void)ip_format(ip, text);
	log_msg(LOG_NOTICE, "ban ordered client=%s order=%s %s", text, what,
	    admin_who(c, who));
}

static void
ban_add(const struct admin *a, struct serve_call *c, const struct ip *ip,
    uint64_t for_ms)
{
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	json_t *j;

	if (!bans_add(b->bans, b->slots, me, ip, BAN_WHY_OPERATOR, now_ms(a),
		for_ms)) {
		admin_refuse(c, 503, "its place is held just now, try again");
		return;
	}
	ban_log(c, ip, "add");
	j = json_object();
	(void)json_object_set_new(j, "ok", json_true());
	admin_answer(c, 200, j);
}

static void
ban_lift(const struct admin *a, struct serve_call *c, const struct ip *ip)
{
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	json_t *j;

	switch (bans_lift(b->bans, b->slots, me, ip, now_ms(a))) {
	case BANS_OK:
		ban_log(c, ip, "remove");
		j = json_object();
		(void)json_object_set_new(j, "ok", json_true());
		admin_answer(c, 200, j);
		return;
	case BANS_NONE:
		admin_refuse(c, 404, "this address is not banned");
		return;
	case BANS_BUSY:
		admin_refuse(c, 503, "its place is held just now, try again");
		return;
	}
	UNREACHED();
}

void
admin_on_ban(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span text = serve_content(c);
	const char *address;
	const json_t *lasts;
	struct ip ip;
	json_error_t err;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, &err);
	address = json_string_value(json_object_get(j, "address"));
	lasts = json_object_get(j, "for_ms");
	if (address == NULL || json_object_size(j) != 2)
		admin_refuse(c, 400,
		    "expected {\"address\": IP, \"for_ms\": NUMBER}, or "
		    "{\"address\": IP, \"lift\": true}");
	else if (!ip_parse(span_str(address), &ip))
		admin_refuse(c, 400, "this is no address");
	else if (json_is_true(json_object_get(j, "lift")))
		ban_lift(a, c, &ip);
	else if (!json_is_integer(lasts) || json_integer_value(lasts) < 1 ||
		 (uint64_t)json_integer_value(lasts) > BANS_MS_MAX)
		admin_refuse(c, 400, "a ban lasts from 1ms to a year");
	else
		ban_add(a, c, &ip, (uint64_t)json_integer_value(lasts));
	json_decref(j);
}
