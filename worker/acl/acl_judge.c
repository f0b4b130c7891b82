/* acl/acl_judge: what each term of an [acl] says about an exchange. Nothing
 * here has an effect or waits: what is not known yet is said to be needed. */
#include "common/base/check.h"
#include "common/http/ranges.h"
#include "common/http/uri.h"
#include "common/tls/tls_stream.h"
#include "worker/acl/acl_int.h"
#include "worker/exch/meter.h"
#include "worker/exch/plan.h"
#include "worker/exch/readings.h"

/* All of something, in tenths of a per cent. */
#define TENTHS 1000u

/* A part of what was asked for (RFC 9110 15.3.7). */
enum { STATUS_PARTIAL = 206 };

static bool
words_have(const struct acl_words *w, span text)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (span_eq(w->at[i], text))
			return true;
	return false;
}

static enum acl_rc
yes_if(bool is_so)
{
	return is_so ? ACL_YES : ACL_NO;
}

/* --- the client ----------------------------------------------------------- */

enum acl_rc
acl_judge_ip(const void *conf, const struct acl_look *l)
{
	const struct acl_nets *c = conf;

	if (!exch_client_has_ip(&l->x->client))
		return yes_if(c->has_unix);
	return yes_if(iptrie_find(c->nets, &l->x->client.ip));
}

enum acl_rc
acl_judge_user(const void *conf, const struct acl_look *l)
{
	const struct acl_words *c = conf;
	const struct exch_user *u = l->x->user;

	if (u == NULL)
		return l->st->knows_user ? ACL_NO : ACL_NEED_USER;
	return yes_if(c->has_any || words_have(c, u->name));
}

enum acl_rc
acl_judge_group(const void *conf, const struct acl_look *l)
{
	const struct exch_user *u = l->x->user;

	if (u == NULL)
		return l->st->knows_user ? ACL_NO : ACL_NEED_USER;
	for (uint32_t i = 0; i < u->n_groups; i++)
		if (words_have(conf, u->groups[i]))
			return ACL_YES;
	return ACL_NO;
}

/* As much of a limit. */
static uint64_t
quota_share(const struct acl_quota *c, uint64_t limit)
{
	if (c->tenths == 0)
		return c->bytes;
	return limit / TENTHS * c->tenths + limit % TENTHS * c->tenths / TENTHS;
}

enum acl_rc
acl_judge_quota(const void *conf, const struct acl_look *l)
{
	const struct plan_quota *q = l->x->set->quota;
	uint64_t used = 0;

	if (q == NULL)
		return ACL_NO;
	if (q->has_user && l->x->user == NULL && !l->st->knows_user)
		return ACL_NEED_USER;
	/* a dry run asks the configuration, not what clients did */
	if (l->x->sink != NULL)
		return ACL_NO;
	if (!meter_used(l->x, q, &used))
		return ACL_DOUBT;
	return yes_if(used >= quota_share(conf, q->limit));
}

enum acl_rc
acl_judge_ja4(const void *conf, const struct acl_look *l)
{
	const struct tls_facts *f = l->x->client.tls;
	const struct acl_words *c = conf;

	if (f == NULL)
		return ACL_NO;
	for (uint32_t i = 0; i < c->n; i++) {
		span word = c->at[i];

		if (span_ends(word, SPAN_LIT("*"))
			? span_starts(f->ja4, span_first(word, word.len - 1))
			: span_eq(f->ja4, word))
			return ACL_YES;
	}
	return ACL_NO;
}

enum acl_rc
acl_judge_time(const void *conf, const struct acl_look *l)
{
	const struct acl_times *c = conf;
	struct zone_time now =
	    zone_at(c->zone, clock_wall_s(worker_clock(l->x->w)));

	for (uint32_t i = 0; i < c->n; i++)
		if (acl_window_has(&c->at[i], now))
			return ACL_YES;
	return ACL_NO;
}

enum acl_rc
acl_judge_country(const void *conf, const struct acl_look *l)
{
	char scratch[GEO_COUNTRY_LEN];

	return yes_if(words_have(conf, exch_client_country(l->x, scratch)));
}

/* --- where it goes -------------------------------------------------------- */

enum acl_rc
acl_judge_dst_ip(const void *conf, const struct acl_look *l)
{
	const struct exch_destination *to = l->x->destination;
	const struct acl_nets *c = conf;

	if (l->address != NULL)
		return yes_if(iptrie_find(c->nets, l->address));
	if (to == NULL || to->is_resolved || l->st->knows_address)
		return ACL_NO;
	return ACL_NEED_ADDR;
}

/* The host as lists have it; empty: it is in none. */
static span
look_host(const struct acl_look *l, char out[DOMAINS_NAME_MAX])
{
	const struct exch_destination *to = l->x->destination;

	if (to != NULL)
		return to->host;
	return span_of(out, domains_normalize(l->x->req.host, out));
}

enum acl_rc
acl_judge_domain(const void *conf, const struct acl_look *l)
{
	char scratch[DOMAINS_NAME_MAX];

	return yes_if(domains_find(conf, look_host(l, scratch)));
}

span
acl_category(const struct acl_categories *c, const struct acl_look *l)
{
	char scratch[DOMAINS_NAME_MAX];
	const struct catset *has = catdb_find(c->db, look_host(l, scratch));
	int i = has == NULL ? -1 : catset_common(has, &c->set);

	return i < 0 ? span_of(NULL, 0) : catdb_category(c->db, (uint32_t)i);
}

enum acl_rc
acl_judge_category(const void *conf, const struct acl_look *l)
{
	return yes_if(acl_category(conf, l).len > 0);
}

static bool
ranges_have(const struct acl_ranges *r, uint64_t n)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (n >= r->at[i].low && n <= r->at[i].high)
			return true;
	return false;
}

enum acl_rc
acl_judge_port(const void *conf, const struct acl_look *l)
{
	const struct exch_destination *to = l->x->destination;

	return yes_if(
	    ranges_have(conf, to != NULL ? to->port : l->x->client.local_port));
}

enum acl_rc
acl_judge_asn(const void *conf, const struct acl_look *l)
{
	return yes_if(ranges_have(conf, exch_client_asn(l->x)));
}

/* --- what is asked -------------------------------------------------------- */

enum acl_rc
acl_judge_method(const void *conf, const struct acl_look *l)
{
	return yes_if(words_have(conf, l->x->req.method_text));
}

static enum acl_rc
regexes_judge(const struct acl_texts *c, span text)
{
	enum acl_rc rc = ACL_NO;

	for (uint32_t i = 0; i < c->n_regexes; i++) {
		switch (regex_find(c->regexes[i], text)) {
		case REGEX_NO:
			continue;
		case REGEX_YES:
			return ACL_YES;
		case REGEX_LIMIT:
			rc = ACL_DOUBT;
		}
	}
	return rc;
}

static bool
path_covers(const struct acl_path *p, span path)
{
	if (p->is_exact || !span_starts(path, p->text))
		return span_eq(path, p->text);
	return path.len == p->text.len || span_ends(p->text, SPAN_LIT("/")) ||
	       path.p[p->text.len] == '/';
}

static enum acl_rc
path_judge(const struct acl_texts *c, const struct acl_look *l, span path)
{
	(void)l;
	for (uint32_t i = 0; i < c->n_paths; i++)
		if (path_covers(&c->paths[i], path))
			return ACL_YES;
	return regexes_judge(c, path);
}

typedef enum acl_rc path_f(
    const struct acl_texts *c, const struct acl_look *l, span path);

/* By each way in which servers may read the path; they must agree. */
static enum acl_rc
readings_judge(const struct acl_texts *c, const struct acl_look *l, path_f *f)
{
	struct path_readings r = {.is_begun = false};
	struct exch *x = l->x;
	enum acl_rc rc;
	span path;

	if (x->path_is_ambiguous)
		return ACL_DOUBT;
	rc = f(c, l, x->path);
	while (path_readings_next(x, &r, &path))
		if (f(c, l, path) != rc)
			return ACL_DOUBT;
	return r.is_ambiguous ? ACL_DOUBT : rc;
}

enum acl_rc
acl_judge_path(const void *conf, const struct acl_look *l)
{
	return readings_judge(conf, l, path_judge);
}

/* scheme://host[:port]/path[?query]: the host as lists have it, the port where
 * it is not the scheme's own, the path in its one normal form. Of a CONNECT as
 * if it were for https. */
static span
look_url(const struct acl_look *l, span path)
{
	struct exch *x = l->x;
	bool is_connect = x->req.method == METHOD_CONNECT;
	char scratch[DOMAINS_NAME_MAX];
	span host = look_host(l, scratch);
	bool is_v6 = span_chr(host, ':') >= 0;
	span scheme = x->req.scheme.len > 0 ? x->req.scheme : x->client.scheme;
	uint16_t port =
	    x->destination != NULL ? x->destination->port : x->req.port;
	span parts[] = {
	    is_connect ? SPAN_LIT("https") : scheme,
	    SPAN_LIT("://"),
	    is_v6 ? SPAN_LIT("[") : span_of(NULL, 0),
	    host.len > 0 ? host : x->req.host,
	    is_v6 ? SPAN_LIT("]") : span_of(NULL, 0),
	    span_of(NULL, 0),
	    is_connect ? SPAN_LIT("/") : path,
	    x->req.has_query ? SPAN_LIT("?") : span_of(NULL, 0),
	    x->req.query,
	};

	if (port != 0 && port != uri_default_port(parts[0]))
		parts[5] = arena_printf(&x->arena, ":%u", port);
	return arena_concat(&x->arena, parts, NELEMS(parts));
}

static enum acl_rc
url_judge(const struct acl_texts *c, const struct acl_look *l, span path)
{
	return regexes_judge(c, look_url(l, path));
}

enum acl_rc
acl_judge_url(const void *conf, const struct acl_look *l)
{
	return readings_judge(conf, l, url_judge);
}

static bool
match_looks_at_path(const struct match *m)
{
	switch ((unsigned)match_subject(m)) {
	case VAR_PATH:
	case VAR_RAW_PATH:
	case VAR_URI:
	case VAR_TARGET:
	case VAR_REQUEST:
		return true;
	default:
		return false;
	}
}

static enum acl_rc
match_judge(const struct match *m, const struct acl_look *l)
{
	if (match_when(m) > VAR_WHEN_REQUEST && !l->st->is_answer)
		return ACL_LATE;
	if (l->x->path_is_ambiguous && match_looks_at_path(m))
		return ACL_DOUBT;
	switch (match_eval(m, l->x)) {
	case MATCH_NO:
		return ACL_NO;
	case MATCH_YES:
		return ACL_YES;
	case MATCH_WAIT_USER:
		return l->st->knows_user ? ACL_NO : ACL_NEED_USER;
	case MATCH_WAIT_ADDR:
		return l->st->knows_address ? ACL_NO : ACL_NEED_ADDR;
	case MATCH_WAIT_CRAWLER:
		return ACL_NEED_CRAWLER;
	case MATCH_LIMIT:
		return ACL_DOUBT;
	}
	UNREACHED();
}

enum acl_rc
acl_judge_match(const void *conf, const struct acl_look *l)
{
	const struct acl_matches *c = conf;
	enum acl_rc rc = ACL_YES;

	for (uint32_t i = 0; i < c->n && rc != ACL_NO; i++)
		rc = acl_and(rc, match_judge(c->at[i], l));
	return rc;
}

enum acl_rc
acl_judge_header(const void *conf, const struct acl_look *l)
{
	const struct acl_matches *c = conf;
	enum acl_rc rc = ACL_NO;

	for (uint32_t i = 0; i < c->n && rc != ACL_YES; i++) {
		enum acl_rc one = match_judge(c->at[i], l);

		if (one != ACL_NO)
			rc = one;
	}
	return rc;
}

/* --- the answer ----------------------------------------------------------- */

/* "text/html" of "text/html; charset=x". */
static span
look_type(const struct exch *x)
{
	const struct http_field *f =
	    fields_find(&x->resp.fields, FIELD_CONTENT_TYPE);
	span rest = f == NULL ? span_of(NULL, 0) : f->value;
	span type = rest;

	(void)span_cut(&rest, ';', &type);
	return span_trim(type);
}

/* "image/x" by "image/\*" and by itself. */
static bool
type_is(span type, span word)
{
	if (span_ends(word, SPAN_LIT("/*")))
		return span_ieq(span_first(type, word.len - 1),
		    span_first(word, word.len - 1));
	return span_ieq(type, word);
}

/* Several parts, each of which would tell the type and the length of the whole
 * (RFC 9110 14.6): a client could ask for all of it in parts. */
static bool
look_hides_whole(const struct exch *x)
{
	return x->resp.status == STATUS_PARTIAL &&
	       span_ieq(look_type(x), SPAN_LIT("multipart/byteranges"));
}

enum acl_rc
acl_judge_content_type(const void *conf, const struct acl_look *l)
{
	const struct acl_words *c = conf;
	span type;

	if (!l->st->is_answer)
		return ACL_LATE;
	type = look_type(l->x);
	for (uint32_t i = 0; i < c->n; i++)
		if (type_is(type, c->at[i]))
			return ACL_YES;
	return look_hides_whole(l->x) ? ACL_DOUBT : ACL_NO;
}

/* The length of what an answer is a part of, if it tells. */
static bool
look_whole_size(const struct exch *x, uint64_t *out)
{
	const struct http_field *f =
	    fields_find(&x->resp.fields, FIELD_CONTENT_RANGE);
	struct content_range part;

	if (x->resp.status != STATUS_PARTIAL || f == NULL ||
	    !content_range_parse(f->value, &part) ||
	    part.complete_len == RANGE_LEN_UNKNOWN)
		return false;
	*out = part.complete_len;
	return true;
}

enum acl_rc
acl_judge_response_size(const void *conf, const struct acl_look *l)
{
	const struct http_field *f;
	uint64_t size;

	if (!l->st->is_answer)
		return ACL_LATE;
	if (look_hides_whole(l->x))
		return ACL_DOUBT;
	if (look_whole_size(l->x, &size))
		return yes_if(ranges_have(conf, size));
	/* of a HEAD, too, what would come */
	f = fields_find(&l->x->resp.fields, FIELD_CONTENT_LENGTH);
	if (l->x->resp.body == LENGTH_KNOWN)
		return yes_if(ranges_have(conf, l->x->resp.length));
	return yes_if(f != NULL && span_u64(f->value, UINT64_MAX, &size) &&
		      ranges_have(conf, size));
}
