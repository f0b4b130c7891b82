/* master/admin_may: who may use the administration. Over a unix socket the kernel
 * tells who asks. Over TCP it is whom `allow` names, with the token; a browser
 * that was led here has neither a token nor, for what needs none, the address
 * in Host. */
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

static bool
admin_let(const struct admin *a, struct serve_call *c, bool is_open)
{
	if (a->state == NULL || a->conf == NULL) {
		admin_refuse(c, 503, "not ready yet");
		return false;
	}
	switch (admin_may(a, c, is_open)) {
	case MAY_USE:
		return true;
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
