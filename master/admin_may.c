/* master/admin_may: who may use the administration. Over a unix socket the kernel
 * tells who asks. Over TCP it is whom `allow` names, with the token; a browser
 * that was led here has neither a token nor, for what needs none, the address
 * in Host. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/base/ip.h"
#include "master/admin.h"

#define BEARER "Bearer "

/* What somebody may who asks. */
enum may {
	MAY_USE,
	MAY_NOT,
	MAY_WITH_TOKEN /* but showed none, or another one */
};

/* Root, who started the master, and the group that is named. The workers' own
 * user is none of them, whatever its groups: who has taken over a worker must
 * not get from here to the master. */
static bool
may_by_cred(const struct admin *a, const struct serve_call *c, uid_t uid)
{
	const json_t *gid = json_object_get(a->conf, "gid");
	uid_t master =
	    (uid_t)json_integer_value(json_object_get(a->conf, "uid"));

	if (uid == 0 || uid == master)
		return true;
	return gid != NULL && uid != getuid() &&
	       serve_peer_has_group(c, (gid_t)json_integer_value(gid));
}

static bool
may_by_address(const struct admin *a, const struct ip *ip)
{
	const json_t *word;
	size_t i;

	json_array_foreach(json_object_get(a->conf, "allow"), i, word)
	{
		struct ip_prefix p;

		if (ip_prefix_parse(span_str(json_string_value(word)), &p) &&
		    ip_prefix_has(&p, ip))
			return true;
	}
	return false;
}

bool
admin_is_stranger(void *self, const struct ip *ip)
{
	const struct admin *a = self;

	return a->conf != NULL && !may_by_address(a, ip);
}

static bool
has_token(const struct admin *a, const struct serve_call *c)
{
	const char *token =
	    json_string_value(json_object_get(a->conf, "token"));
	const struct http_field *f =
	    fields_find(&serve_request(c)->fields, FIELD_AUTHORIZATION);
	span shown;

	if (token == NULL || f == NULL ||
	    !span_ieq(
		span_first(f->value, sizeof(BEARER) - 1), SPAN_LIT(BEARER)))
		return false;
	shown = span_trim(span_from(f->value, sizeof(BEARER) - 1));
	return shown.len == strlen(token) &&
	       CRYPTO_memcmp(shown.p, token, shown.len) == 0;
}

/* A page of another site may have its name lead here, never an address. */
static bool
asks_an_address(const struct serve_call *c)
{
	span host = serve_request(c)->host;
	struct ip ip;

	return ip_parse(host, &ip) || span_ieq(host, SPAN_LIT("localhost"));
}

static enum may
admin_may(const struct admin *a, const struct serve_call *c, bool is_open)
{
	struct ip ip;
	gid_t gid;
	pid_t pid;
	uid_t uid;

	if (serve_peer(c, &pid, &uid, &gid))
		return may_by_cred(a, c, uid) ? MAY_USE : MAY_NOT;
	if (!serve_peer_ip(c, &ip) || !may_by_address(a, &ip))
		return MAY_NOT;
	if (has_token(a, c) || (is_open && asks_an_address(c)))
		return MAY_USE;
	return MAY_WITH_TOKEN;
}

/* --- orders from a browser ------------------------------------------------ */

static bool
is_same_origin(span origin, span host)
{
	ptrdiff_t at = span_find(origin, SPAN_LIT("://"));

	return at > 0 && span_ieq(span_from(origin, (size_t)at + 3), host);
}

static bool
is_json(span type)
{
	ptrdiff_t at = span_chr(type, ';');

	return span_ieq(span_trim(at < 0 ? type : span_first(type, (size_t)at)),
	    SPAN_LIT("application/json"));
}

/* The token alone keeps pages of others out: they do not know it, and may not
 * send it without our leave, which nobody gets. Whoever has made a browser send
 * it all the same is met here: why such an order is not taken, or NULL. */
static const char *
why_no_order(const struct serve_call *c, unsigned *status)
{
	const struct http_msg *req = serve_request(c);
	const struct http_field *site =
	    fields_find(&req->fields, FIELD_SEC_FETCH_SITE);
	const struct http_field *origin =
	    fields_find(&req->fields, FIELD_ORIGIN);
	const struct http_field *type =
	    fields_find(&req->fields, FIELD_CONTENT_TYPE);
	const struct http_field *host = fields_find(&req->fields, FIELD_HOST);

	*status = 403;
	if (site != NULL && !span_eq(site->value, SPAN_LIT("same-origin")) &&
	    !span_eq(site->value, SPAN_LIT("none")))
		return "an order from a page of another site is not taken";
	if (origin != NULL &&
	    (host == NULL || !is_same_origin(origin->value, host->value)))
		return "an order from a page of another origin is not taken";
	*status = 415;
	if (serve_content(c).len > 0 && (type == NULL || !is_json(type->value)))
		return "an order needs Content-Type: application/json";
	return NULL;
}

static bool
admin_takes(struct serve_call *c)
{
	const char *why;
	unsigned status;
	struct ip ip;

	/* no browser comes over a unix socket */
	if (serve_request(c)->method != METHOD_POST || !serve_peer_ip(c, &ip))
		return true;
	why = why_no_order(c, &status);
	if (why != NULL)
		admin_refuse(c, status, why);
	return why == NULL;
}

static bool
admin_let(const struct admin *a, struct serve_call *c, bool is_open)
{
	if (a->state == NULL || a->conf == NULL) {
		admin_refuse(c, 503, "not ready yet");
		return false;
	}
	switch (admin_may(a, c, is_open)) {
	case MAY_USE:
		return admin_takes(c);
	case MAY_NOT:
		break;
	case MAY_WITH_TOKEN:
		serve_field(c, SPAN_LIT("WWW-Authenticate"),
		    SPAN_LIT("Bearer realm=\"gatehouse\""));
		admin_refuse(c, 401, "the token of [admin] is needed");
		return false;
	}
	admin_refuse(c, 403, "you are not allowed to use this");
	return false;
}

const char *
admin_who(const struct serve_call *c, char out[ADMIN_WHO_CAP])
{
	char text[IP_TEXT_CAP] = "gone";
	struct ip ip;
	gid_t gid;
	pid_t pid;
	uid_t uid;

	if (serve_peer(c, &pid, &uid, &gid)) {
		(void)snprintf(out, ADMIN_WHO_CAP, "uid=%u", (unsigned)uid);
		return out;
	}
	if (serve_peer_ip(c, &ip))
		(void)ip_format(&ip, text);
	(void)snprintf(out, ADMIN_WHO_CAP, "peer=%s", text);
	return out;
}

bool
admin_begin(const struct admin *a, struct serve_call *c)
{
	return admin_let(a, c, false);
}

bool
admin_begin_metrics(const struct admin *a, struct serve_call *c)
{
	return admin_let(
	    a, c, json_is_true(json_object_get(a->conf, "metrics")));
}

/* The page holds nothing but itself: what it shows it has to ask for, with the
 * token. */
bool
admin_begin_page(const struct admin *a, struct serve_call *c)
{
	if (a->state == NULL || a->conf == NULL)
		admin_refuse(c, 503, "not ready yet");
	else if (admin_may(a, c, true) == MAY_NOT)
		admin_refuse(c, 403, "you are not allowed to use this");
	else if (!json_is_true(json_object_get(a->conf, "dashboard")))
		admin_refuse(c, 404, "it needs dashboard = on in [admin]");
	else
		return true;
	return false;
}
