/* acl/acl_keys: the keys of an [acl] compiled to its terms, one for each kind:
 * what stands in a file is ORed with what stands in the section. The values of
 * single words were judged when the configuration was read. */
#include <time.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "common/http/uri.h"
#include "common/tls/tls_ja4.h"
#include "worker/acl/acl_int.h"

#define PORT_MAX 65535u
/* Clocks are set back, too. */
#define ZONE_BEFORE_S (400 * INT64_C(86400))

/* The next line of a key that holds something. */
static const struct conf_value *
keys_line(const struct conf_value *v)
{
	while (v != NULL && v->is_none)
		v = v->next;
	return v;
}

#define keys_foreach(v, b, key) \
	for (const struct conf_value *v = keys_line((b)->s->first[key]); \
	     v != NULL; v = keys_line(v->next))

static bool
keys_has(const struct acl_build *b, enum conf_key k)
{
	return keys_line(b->s->first[k]) != NULL;
}

static uint32_t
keys_count_lines(const struct acl_build *b, enum conf_key k)
{
	uint32_t n = 0;

	keys_foreach(v, b, k) n++;
	return n;
}

static uint32_t
keys_count_words(const struct acl_build *b, enum conf_key k)
{
	uint32_t n = 0;

	keys_foreach(v, b, k) n += v->n_words;
	return n;
}

/* All words of a key; NULL: it has none. */
static struct acl_words *
keys_words(struct acl_build *b, enum conf_key k)
{
	uint32_t n = keys_count_words(b, k);
	struct acl_words *w;
	span *at;

	if (n == 0)
		return NULL;
	w = arena_zalloc(b->all->a, sizeof(*w));
	at = arena_alloc(b->all->a, n * sizeof(*at));
	w->at = at;
	keys_foreach(v, b, k)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			at[w->n++] = v->words[i].text;
			w->has_any |= span_eq(v->words[i].text, SPAN_LIT("*"));
		}
	}
	return w;
}

/* Call for each file that a key names. */
static void
keys_files(struct acl_build *b, enum conf_key k, enum linefile_tail tail,
    void (*read)(struct acl_build *b, struct linefile *f, void *out), void *out)
{
	keys_foreach(v, b, k)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			const struct conf_word *w = &v->words[i];
			struct linefile f;

			if (!linefile_open(&f, arena_span(b->all->a, w->text).p,
				tail, w->at, b->d))
				continue;
			read(b, &f, out);
			linefile_close(&f);
		}
	}
}

/* --- networks ------------------------------------------------------------- */

static void
nets_read(struct acl_build *b, struct linefile *f, void *out)
{
	(void)b;
	acl_file_nets(f, out);
}

static struct acl_nets *
nets_make(struct acl_build *b, enum conf_key k, enum conf_key k_file)
{
	struct acl_nets *c = arena_zalloc(b->all->a, sizeof(*c));

	c->nets = iptrie_new();
	vec_push(&b->all->nets, c->nets);
	keys_foreach(v, b, k)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			struct ip_prefix prefix;

			if (ip_prefix_parse(v->words[i].text, &prefix))
				iptrie_add(c->nets, &prefix);
			else /* no other word was taken */
				c->has_unix = true;
		}
	}
	if (k_file != k)
		keys_files(b, k_file, LINEFILE_COMMENT, nets_read, c->nets);
	iptrie_done(c->nets);
	return c;
}

static const void *
keys_ip(struct acl_build *b)
{
	if (!keys_has(b, KEY_ACL_IP) && !keys_has(b, KEY_ACL_IP_FILE))
		return NULL;
	return nets_make(b, KEY_ACL_IP, KEY_ACL_IP_FILE);
}

static const void *
keys_dst_ip(struct acl_build *b)
{
	const struct acl_nets *c;

	if (!keys_has(b, KEY_ACL_DST_IP))
		return NULL;
	c = nets_make(b, KEY_ACL_DST_IP, KEY_ACL_DST_IP);
	if (c->has_unix)
		diag_error(b->d, keys_line(b->s->first[KEY_ACL_DST_IP])->at,
		    "dst_ip: a proxy connects to no unix socket");
	return c;
}

/* --- names ---------------------------------------------------------------- */

static void
domains_read(struct acl_build *b, struct linefile *f, void *out)
{
	(void)b;
	acl_file_domains(f, out);
}

static const void *
keys_domain(struct acl_build *b)
{
	struct domains *out;

	if (!keys_has(b, KEY_ACL_DOMAIN) && !keys_has(b, KEY_ACL_DOMAIN_FILE))
		return NULL;
	out = domains_new();
	vec_push(&b->all->domains, out);
	keys_foreach(v, b, KEY_ACL_DOMAIN)
	{
		for (uint32_t i = 0; i < v->n_words; i++)
			if (!domains_add(out, v->words[i].text))
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no name of a host, in ASCII "
				    "(xn--...), such as example.com or "
				    ".example.com",
				    SPAN_FMT(v->words[i].text));
	}
	keys_files(b, KEY_ACL_DOMAIN_FILE, LINEFILE_COMMENT, domains_read, out);
	return out;
}

/* The database of a section; NULL: it was told what is wrong with it. */
static const struct catdb *
keys_catdb(struct acl_build *b, const struct conf_value *v)
{
	struct catdb *db = map_get(&b->all->catdbs, v->text);
	span path = arena_span(b->all->a, v->text);
	char why[CATDB_WHY_CAP];

	if (db != NULL)
		return db;
	db = catdb_read(path.p, why);
	if (db != NULL)
		(void)map_put(&b->all->catdbs, path, db);
	else
		diag_error(b->d, v->at, "%s cannot be used: %s", path.p, why);
	return db;
}

static void
category_add(
    struct acl_build *b, struct acl_categories *c, const struct conf_word *w)
{
	int i = catdb_category_find(c->db, w->text);

	if (i >= 0)
		catset_add(&c->set, (uint32_t)i);
	else
		diag_error(b->d, w->at, "the database has no category '%.*s'",
		    SPAN_FMT(w->text));
}

static const void *
keys_category(struct acl_build *b)
{
	const struct conf_value *file =
	    keys_line(b->s->first[KEY_ACL_CATEGORY_DB]);
	struct acl_categories *c;

	if (file == NULL && !keys_has(b, KEY_ACL_CATEGORY))
		return NULL;
	if (file == NULL || !keys_has(b, KEY_ACL_CATEGORY)) {
		diag_error(b->d,
		    file != NULL ? file->key_at
				 : b->s->first[KEY_ACL_CATEGORY]->key_at,
		    "category and category_db need each other");
		return NULL;
	}
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->db = keys_catdb(b, file);
	if (c->db == NULL)
		return c; /* nothing of this configuration will be judged */
	keys_foreach(v, b, KEY_ACL_CATEGORY)
	{
		for (uint32_t i = 0; i < v->n_words; i++)
			category_add(b, c, &v->words[i]);
	}
	return c;
}

/* --- texts ---------------------------------------------------------------- */

/* The place of a piece of a line. */
static struct place
keys_place(const struct conf_value *v, span part)
{
	struct var_src src = {.text = v->text, .at = v->at};

	return var_src_place(&src, (size_t)(part.p - v->text.p), part.len);
}

static void
keys_add_regex(struct acl_build *b, const struct conf_value *v, struct vec *out)
{
	span pattern = span_trim(span_from(v->text, 1));
	struct regex *re =
	    regex_new(pattern, false, keys_place(v, pattern), b->d);

	if (pattern.len == 0)
		diag_error(b->d, v->at, "'~' needs a regular expression");
	if (re != NULL)
		vec_push(out, re);
}

/* What was compiled belongs to the whole; the term points at it. */
static void
keys_keep_regexes(struct acl_build *b, struct vec *found, struct acl_texts *c)
{
	c->regexes = arena_alloc(b->all->a, found->n * sizeof(struct regex *));
	for (uint32_t i = 0; i < found->n; i++) {
		c->regexes[c->n_regexes++] = found->at[i];
		vec_push(&b->all->regexes, found->at[i]);
	}
	vec_fini(found);
}

static void
regexes_read(struct acl_build *b, struct linefile *f, void *out)
{
	(void)b;
	acl_file_regexes(f, out);
}

static const void *
keys_url(struct acl_build *b)
{
	struct acl_texts *c;
	struct vec found;

	if (!keys_has(b, KEY_ACL_URL) && !keys_has(b, KEY_ACL_URL_FILE))
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	vec_init(&found);
	keys_foreach(v, b, KEY_ACL_URL)
	{
		if (v->text.len > 0 && v->text.p[0] == '~')
			keys_add_regex(b, v, &found);
		else
			diag_error(b->d, v->at,
			    "a url is a regular expression behind '~'; hosts "
			    "are judged by domain, paths by path");
	}
	keys_files(b, KEY_ACL_URL_FILE, LINEFILE_WHOLE, regexes_read, &found);
	keys_keep_regexes(b, &found, c);
	return c;
}

static void
path_add(struct acl_build *b, const struct conf_value *v, span word,
    struct acl_texts *c)
{
	struct acl_path *p = &c->paths[c->n_paths];
	size_t len;
	char *own;

	p->is_exact = word.p[0] == '=';
	p->text = span_from(word, p->is_exact ? 1 : 0);
	if (p->text.len == 0 || p->text.p[0] != '/' ||
	    span_chr(p->text, '?') >= 0 || span_chr(p->text, '#') >= 0) {
		diag_error(b->d, keys_place(v, word),
		    "expected a path: /x and below, =/x alone, or ~ and a "
		    "regular expression alone in its line");
		return;
	}
	own = arena_alloc(b->all->a, p->text.len);
	if (uri_normalize_path(p->text, own, &len) == URI_PATH_AMBIGUOUS) {
		diag_error(b->d, keys_place(v, word),
		    "the path '%.*s' can be read in more than one way",
		    SPAN_FMT(p->text));
		return;
	}
	p->text = span_of(own, len);
	c->n_paths++;
}

static uint32_t
path_count(const struct acl_build *b)
{
	uint32_t n = 0;

	keys_foreach(v, b, KEY_ACL_PATH)
	{
		span rest = v->text;
		span word;

		while (span_word(&rest, &word))
			n++;
	}
	return n;
}

static const void *
keys_path(struct acl_build *b)
{
	struct acl_texts *c;
	struct vec found;

	if (!keys_has(b, KEY_ACL_PATH))
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->paths = arena_alloc(b->all->a, path_count(b) * sizeof(*c->paths));
	vec_init(&found);
	keys_foreach(v, b, KEY_ACL_PATH)
	{
		span rest = v->text;
		span word;

		if (v->text.len > 0 && v->text.p[0] == '~') {
			keys_add_regex(b, v, &found);
			continue;
		}
		while (span_word(&rest, &word))
			path_add(b, v, word, c);
	}
	keys_keep_regexes(b, &found, c);
	return c;
}

static const void *
keys_user(struct acl_build *b)
{
	return keys_words(b, KEY_ACL_USER);
}

static const void *
keys_group(struct acl_build *b)
{
	return keys_words(b, KEY_ACL_GROUP);
}

/* "t13d1516h2_8daaf6152771_e5627efa2ab1", or its beginning and `*`. */
static bool
ja4_is(span word)
{
	bool is_open = span_ends(word, SPAN_LIT("*"));

	if (is_open)
		word.len--;
	for (size_t i = 0; i < word.len; i++)
		if (!char_is_digit(word.p[i]) && word.p[i] != '_' &&
		    (word.p[i] < 'a' || word.p[i] > 'z'))
			return false;
	return word.len > 0 && span_starts(word, SPAN_LIT("t")) &&
	       (is_open ? word.len < TLS_JA4_LEN : word.len == TLS_JA4_LEN);
}

static const void *
keys_ja4(struct acl_build *b)
{
	keys_foreach(v, b, KEY_ACL_JA4)
	{
		for (uint32_t i = 0; i < v->n_words; i++)
			if (!ja4_is(v->words[i].text))
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no fingerprint such as "
				    "t13d1516h2_8daaf6152771_e5627efa2ab1, and "
				    "no beginning of one with '*'",
				    SPAN_FMT(v->words[i].text));
	}
	return keys_words(b, KEY_ACL_JA4);
}

static const void *
keys_method(struct acl_build *b)
{
	keys_foreach(v, b, KEY_ACL_METHOD)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			span word = v->words[i].text;
			bool has_lower = false;

			for (size_t k = 0; k < word.len; k++)
				has_lower |= char_is(word.p[k], CHAR_TOKEN) &&
					     word.p[k] >= 'a' &&
					     word.p[k] <= 'z';
			if (!chars_all(word, CHAR_TOKEN) || has_lower)
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no method; they are written in "
				    "capitals, for example GET",
				    SPAN_FMT(word));
		}
	}
	return keys_words(b, KEY_ACL_METHOD);
}

/* --- conditions ----------------------------------------------------------- */

static void
matches_add(
    struct acl_build *b, struct acl_matches *c, const struct var_src *src)
{
	struct match *m = match_new(b->all->a, src, b->d);

	if (m == NULL)
		return;
	vec_push(&b->all->matches, m);
	c->at[c->n++] = m;
}

static struct acl_matches *
matches_new(struct acl_build *b, enum conf_key k)
{
	uint32_t n = keys_count_lines(b, k);
	struct acl_matches *c;

	if (n == 0)
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->at = arena_alloc(b->all->a, n * sizeof(struct match *));
	return c;
}

static const void *
keys_match(struct acl_build *b)
{
	struct acl_matches *c = matches_new(b, KEY_RULE_MATCH);

	keys_foreach(v, b, KEY_RULE_MATCH)
	{
		struct var_src src = {v->text, v->at, VAR_WHEN_RESPONSE};

		matches_add(b, c, &src);
	}
	return c;
}

/* `NAME` and what may stand behind it is a condition on that field. */
static const void *
keys_header(struct acl_build *b)
{
	static const span subject = {"header:", sizeof("header:") - 1};
	struct acl_matches *c = matches_new(b, KEY_ACL_HEADER);

	keys_foreach(v, b, KEY_ACL_HEADER)
	{
		span parts[] = {subject, v->text};
		struct var_src src = {
		    arena_concat(b->all->a, parts, NELEMS(parts)), v->at,
		    VAR_WHEN_REQUEST};
		size_t name = 0;

		while (name < v->text.len &&
		       char_is(v->text.p[name], CHAR_TOKEN) &&
		       v->text.p[name] != '!' && v->text.p[name] != '~')
			name++;
		if (name == 0 ||
		    (name < v->text.len && v->text.p[name] == ':')) {
			diag_error(b->d, keys_place(v, v->text),
			    "expected the name of a field, alone or before "
			    "what it is compared with: X-A, X-A = text, "
			    "X-A ~ regex");
			continue;
		}
		/* the word before it is written nowhere */
		src.at.col =
		    (uint16_t)(src.at.col - size_min(src.at.col, subject.len));
		matches_add(b, c, &src);
	}
	return c;
}

/* --- numbers -------------------------------------------------------------- */

/* "80" or "1024-65535". */
static bool
port_read(span word, struct acl_range *out)
{
	ptrdiff_t dash = span_chr(word, '-');
	span low = dash < 0 ? word : span_first(word, (size_t)dash);

	if (!span_u64(low, PORT_MAX, &out->low))
		return false;
	out->high = out->low;
	return dash < 0 || (span_u64(span_from(word, (size_t)dash + 1),
				PORT_MAX, &out->high) &&
			       out->low <= out->high);
}

static const void *
keys_port(struct acl_build *b)
{
	uint32_t n = keys_count_words(b, KEY_ACL_PORT);
	struct acl_ranges *c;

	if (n == 0)
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->at = arena_alloc(b->all->a, n * sizeof(*c->at));
	keys_foreach(v, b, KEY_ACL_PORT)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			if (port_read(v->words[i].text, &c->at[c->n]))
				c->n++;
			else
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no port and no range such as "
				    "1024-65535",
				    SPAN_FMT(v->words[i].text));
		}
	}
	return c;
}

/* ">10m" and its like, or "1m-10m". */
static bool
size_read(span text, struct acl_range *out, const char **why)
{
	bool is_more = span_starts(text, SPAN_LIT(">"));
	bool is_less = span_starts(text, SPAN_LIT("<"));
	bool is_equal = span_starts(span_from(text, 1), SPAN_LIT("="));
	ptrdiff_t dash = span_chr(text, '-');
	int64_t low;
	int64_t high;

	*why = "expected >10m, >=10m, <1k, <=1k or 1k-10m";
	if (is_more || is_less) {
		text = span_trim(span_from(text, is_equal ? 2 : 1));
		if (!conf_parse_size(text, &low, why) || low < 0)
			return false;
		*why = "nothing is smaller than nothing";
		if (is_less && !is_equal && low == 0)
			return false;
		*out = (struct acl_range){0, (uint64_t)low - !is_equal};
		if (is_more)
			*out = (struct acl_range){
			    (uint64_t)low + !is_equal, UINT64_MAX};
		return true;
	}
	if (dash < 0 ||
	    !conf_parse_size(
		span_trim(span_first(text, (size_t)dash)), &low, why) ||
	    !conf_parse_size(
		span_trim(span_from(text, (size_t)dash + 1)), &high, why))
		return false;
	*out = (struct acl_range){(uint64_t)low, (uint64_t)high};
	*why = "the range is empty";
	return low >= 0 && low <= high;
}

static const void *
keys_response_size(struct acl_build *b)
{
	uint32_t n = keys_count_lines(b, KEY_ACL_RESPONSE_SIZE);
	struct acl_ranges *c;

	if (n == 0)
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->at = arena_alloc(b->all->a, n * sizeof(*c->at));
	keys_foreach(v, b, KEY_ACL_RESPONSE_SIZE)
	{
		const char *why;

		if (size_read(v->text, &c->at[c->n], &why))
			c->n++;
		else
			diag_error(b->d, v->at, "response_size: %s", why);
	}
	return c;
}

static const void *
keys_content_type(struct acl_build *b)
{
	keys_foreach(v, b, KEY_ACL_CONTENT_TYPE)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			span word = v->words[i].text;
			ptrdiff_t slash = span_chr(word, '/');

			if (slash <= 0 || (size_t)slash + 1 == word.len ||
			    span_chr(word, ';') >= 0 ||
			    span_chr(span_first(word, (size_t)slash), '*') >= 0)
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no media type such as text/html "
				    "or image/*",
				    SPAN_FMT(word));
		}
	}
	return keys_words(b, KEY_ACL_CONTENT_TYPE);
}

/* A quota cannot be passed by more than what is under way. */
#define QUOTA_TENTHS_MAX 1000

/* `80%`, or `500m`. */
static const void *
keys_quota(struct acl_build *b)
{
	const struct conf_value *v = keys_line(b->s->first[KEY_ACL_QUOTA]);
	struct acl_quota *c;
	const char *why = NULL;
	int64_t n = 0;

	if (v == NULL)
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	if (span_ends(v->text, SPAN_LIT("%"))
		? conf_parse_percent(v->text, &n, &why)
		: conf_parse_size(v->text, &n, &why)) {
		why = "expected a share of the quota to 100%, or bytes";
		if (n > 0 && span_ends(v->text, SPAN_LIT("%")))
			c->tenths = (uint64_t)n;
		else
			c->bytes = (uint64_t)n;
	}
	if (n <= 0 || (c->tenths > 0 && n > QUOTA_TENTHS_MAX))
		diag_error(b->d, v->at, "quota: %s", why);
	return c;
}

/* --- where clients are ---------------------------------------------------- */

static void
geo_check(struct acl_build *b, enum conf_key k)
{
	const struct conf_section *global =
	    conf_first(b->all->conf, CONF_GLOBAL);

	if (keys_has(b, k) &&
	    (global == NULL ||
		keys_line(global->first[KEY_GLOBAL_MMDB]) == NULL))
		diag_error(b->d, b->s->first[k]->key_at,
		    "%s needs a database: mmdb in [global]", conf_key_name(k));
}

static const void *
keys_country(struct acl_build *b)
{
	geo_check(b, KEY_ACL_COUNTRY);
	keys_foreach(v, b, KEY_ACL_COUNTRY)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			span w = v->words[i].text;

			if (w.len != GEO_COUNTRY_LEN || w.p[0] < 'A' ||
			    w.p[0] > 'Z' || w.p[1] < 'A' || w.p[1] > 'Z')
				diag_error(b->d, v->words[i].at,
				    "'%.*s' is no country; they are two "
				    "capitals, for example DE",
				    SPAN_FMT(w));
		}
	}
	return keys_words(b, KEY_ACL_COUNTRY);
}

static const void *
keys_asn(struct acl_build *b)
{
	uint32_t n = keys_count_words(b, KEY_ACL_ASN);
	struct acl_ranges *c;

	geo_check(b, KEY_ACL_ASN);
	if (n == 0)
		return NULL;
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->at = arena_alloc(b->all->a, n * sizeof(*c->at));
	keys_foreach(v, b, KEY_ACL_ASN)
	{
		for (uint32_t i = 0; i < v->n_words; i++) {
			struct acl_range *r = &c->at[c->n];

			/* 0 is nobody's (RFC 7607) */
			if (span_u64(v->words[i].text, UINT32_MAX, &r->low) &&
			    r->low > 0) {
				r->high = r->low;
				c->n++;
				continue;
			}
			diag_error(b->d, v->words[i].at,
			    "'%.*s' is no number of a network, such as 64500",
			    SPAN_FMT(v->words[i].text));
		}
	}
	return c;
}

/* --- time ----------------------------------------------------------------- */

/* The zone of a section, or the system's; NULL: it was told that there is none
 * of that name. */
static const struct zone *
keys_zone(struct acl_build *b)
{
	const struct conf_value *v = keys_line(b->s->first[KEY_ACL_ZONE]);
	span name = v == NULL ? SPAN_LIT("") : v->text;
	struct zone *z = map_get(&b->all->zones, name);

	if (z != NULL)
		return z;
	z = arena_alloc(b->all->a, sizeof(*z));
	if (!zone_load(z, name, (int64_t)time(NULL) - ZONE_BEFORE_S)) {
		diag_error(b->d, v->at,
		    "the system's database of time zones has no '%.*s'; a name "
		    "of it is for example Europe/Berlin",
		    SPAN_FMT(name));
		return NULL;
	}
	(void)map_put(&b->all->zones, name, z);
	return z;
}

static const void *
keys_time(struct acl_build *b)
{
	uint32_t n = keys_count_lines(b, KEY_ACL_TIME);
	struct acl_times *c;

	if (n == 0) {
		if (keys_has(b, KEY_ACL_ZONE))
			diag_error(b->d, b->s->first[KEY_ACL_ZONE]->key_at,
			    "a zone needs a time");
		return NULL;
	}
	c = arena_zalloc(b->all->a, sizeof(*c));
	c->zone = keys_zone(b);
	c->at = arena_alloc(b->all->a, n * sizeof(*c->at));
	keys_foreach(v, b, KEY_ACL_TIME)
	{
		struct acl_time_problem why;

		if (acl_window_read(v->text, &c->at[c->n], &why))
			c->n++;
		else
			diag_error(b->d,
			    keys_place(v, span_of(v->text.p + why.at, why.len)),
			    "time: %s", why.why);
	}
	return c;
}

/* --- all of them ---------------------------------------------------------- */

/* What costs least is asked first: it may save the rest. */
static const struct {
	acl_judge_f *judge;
	const void *(*compile)(struct acl_build *b);
} kinds[] = {
    {acl_judge_method, keys_method},
    {acl_judge_port, keys_port},
    {acl_judge_ip, keys_ip},
    {acl_judge_ja4, keys_ja4},
    {acl_judge_country, keys_country},
    {acl_judge_asn, keys_asn},
    {acl_judge_time, keys_time},
    {acl_judge_domain, keys_domain},
    {acl_judge_category, keys_category},
    {acl_judge_path, keys_path},
    {acl_judge_header, keys_header},
    {acl_judge_match, keys_match},
    {acl_judge_url, keys_url},
    {acl_judge_dst_ip, keys_dst_ip},
    {acl_judge_user, keys_user},
    {acl_judge_group, keys_group},
    {acl_judge_quota, keys_quota},
    {acl_judge_content_type, keys_content_type},
    {acl_judge_response_size, keys_response_size},
};

void
acl_compile(struct acl_build *b, struct acl *acl)
{
	acl->terms =
	    arena_alloc(b->all->a, NELEMS(kinds) * sizeof(acl->terms[0]));
	for (size_t i = 0; i < NELEMS(kinds); i++) {
		const void *conf = kinds[i].compile(b);

		if (conf != NULL)
			acl->terms[acl->n++] =
			    (struct acl_term){kinds[i].judge, conf};
	}
	if (acl->n == 0 && !b->s->is_broken)
		diag_error(b->d, acl->at,
		    "[acl %.*s] has no term, and would hold for everything: "
		    "that is `all`",
		    SPAN_FMT(acl->name));
}
