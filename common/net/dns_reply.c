/* net/dns_reply: one pass for each alias of a chain; a name is followed only to
 * what stands before it, so that nothing goes around in circles. */
#include "common/net/dns_reply.h"

#include <string.h>

/* RFC 1035 4.1.1 */
#define HEAD_LEN 12u
#define IS_REPLY 0x8000u
#define OPCODE_MASK 0x7800u
#define IS_CUT 0x0200u
#define RCODE_MASK 0x000fu
#define RCODE_NONE 0u
#define RCODE_NO_NAME 3u
#define TYPE_CNAME 5u
#define TYPE_PTR 12u
#define TYPE_SRV 33u
#define CLASS_IN 1u
#define LABEL_MAX 63u
#define LABEL_POINTER 0xc0u
/* Aliases of a name that are followed. */
#define ALIASES_MAX 8
/* Above it a lifetime is none (RFC 2181 8). */
#define TTL_MAX 0x7fffffffu

struct reader {
	const uint8_t *p;
	size_t len;
	size_t at;
	bool is_bad; /* something was not there, or not as it should be */
};

struct name {
	size_t len;
	char text[DNS_NAME_MAX];
};

struct record {
	struct name owner;
	unsigned type;
	unsigned class;
	uint32_t ttl_s;
	size_t end; /* of its data, which begins where the reader is */
};

static unsigned
read_u8(struct reader *r)
{
	if (r->at >= r->len) {
		r->is_bad = true;
		return 0;
	}
	return r->p[r->at++];
}

static unsigned
read_u16(struct reader *r)
{
	unsigned high = read_u8(r);

	return high << 8 | read_u8(r);
}

static uint32_t
read_u32(struct reader *r)
{
	uint32_t high = read_u16(r);

	return high << 16 | read_u16(r);
}

/* --- names ---------------------------------------------------------------- */

/* A byte of a label in lower case; '\0': hosts and services have none such. */
static char
label_char(unsigned c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_')
		return (char)c;
	return '\0';
}

static bool
name_add(struct name *n, struct reader *r, unsigned label_len)
{
	if (n->len + (n->len > 0) + label_len > sizeof(n->text))
		return false;
	if (n->len > 0)
		n->text[n->len++] = '.';
	for (unsigned i = 0; i < label_len; i++) {
		char c = label_char(read_u8(r));

		if (c == '\0')
			return false;
		n->text[n->len++] = c;
	}
	return true;
}

/* RFC 1035 4.1.4. Each jump lands before all that was read of the name. */
static bool
name_walk(struct reader *r, struct name *n)
{
	size_t before = r->at;
	size_t back = 0;

	for (;;) {
		unsigned c = read_u8(r);

		if (r->is_bad)
			return false;
		if (c == 0)
			break;
		if (c <= LABEL_MAX) {
			if (!name_add(n, r, c))
				return false;
			continue;
		}
		if ((c & LABEL_POINTER) != LABEL_POINTER)
			return false;
		c = (c & LABEL_MAX) << 8 | read_u8(r);
		if (back == 0)
			back = r->at;
		if (r->is_bad || c >= before)
			return false;
		r->at = before = c;
	}
	if (back != 0)
		r->at = back;
	return true;
}

static void
read_name(struct reader *r, struct name *n)
{
	n->len = 0;
	if (!name_walk(r, n))
		r->is_bad = true;
}

static bool
name_is(const struct name *n, const struct name *other)
{
	return n->len == other->len &&
	       memcmp(n->text, other->text, n->len) == 0;
}

/* --- records -------------------------------------------------------------- */

static void
read_record(struct reader *r, struct record *rec)
{
	size_t len;

	read_name(r, &rec->owner);
	rec->type = read_u16(r);
	rec->class = read_u16(r);
	rec->ttl_s = read_u32(r);
	if (rec->ttl_s > TTL_MAX)
		rec->ttl_s = 0;
	len = read_u16(r);
	if (r->is_bad || len > r->len - r->at) {
		r->is_bad = true;
		return;
	}
	rec->end = r->at + len;
}

/* Behind the last one with the same priority; of too many the last goes. */
static void
srvs_add(struct dns_srvs *out, const struct dns_srv *s)
{
	uint32_t i = out->n;

	while (i > 0 && out->at[i - 1].priority > s->priority)
		i--;
	if (i == DNS_TARGETS_MAX)
		return;
	if (out->n < DNS_TARGETS_MAX)
		out->n++;
	memmove(&out->at[i + 1], &out->at[i],
	    (out->n - 1 - i) * sizeof(out->at[0]));
	out->at[i] = *s;
}

/* What is looked for, and what becomes of it. */
struct wanted {
	unsigned type;
	uint32_t ttl_s; /* the least so far */
	uint32_t n; /* records of the type */
	struct dns_srvs *srvs;
	struct dns_ptr *ptr;
};

/* A target "." and port 0 are no server. */
static void
read_srv(struct reader *r, const struct record *rec, struct dns_srvs *out)
{
	struct dns_srv s;
	struct name target;

	s.priority = (uint16_t)read_u16(r);
	s.weight = (uint16_t)read_u16(r);
	s.port = (uint16_t)read_u16(r);
	read_name(r, &target);
	if (r->is_bad || r->at != rec->end) {
		r->is_bad = true;
		return;
	}
	if (target.len == 0 || s.port == 0)
		return;
	s.target_len = (uint8_t)target.len;
	memcpy(s.target, target.text, target.len);
	srvs_add(out, &s);
}

static void
read_ptr(struct reader *r, const struct record *rec, struct dns_ptr *out)
{
	struct name name;

	read_name(r, &name);
	if (r->is_bad || r->at != rec->end) {
		r->is_bad = true;
		return;
	}
	out->len = (uint8_t)name.len;
	memcpy(out->text, name.text, name.len);
}

static void
read_wanted(struct reader *r, const struct record *rec, struct wanted *w)
{
	w->n++;
	if (rec->ttl_s < w->ttl_s)
		w->ttl_s = rec->ttl_s;
	if (w->type == TYPE_SRV)
		read_srv(r, rec, w->srvs);
	else
		read_ptr(r, rec, w->ptr);
}

enum found { FOUND_NONE, FOUND_ALIAS, FOUND_WANTED };

/* What the answer section says of the name; of an alias: its own name. */
static enum found
read_answers(
    struct reader *r, unsigned n_answers, struct name *name, struct wanted *w)
{
	enum found found = FOUND_NONE;
	struct name owner = *name;
	uint32_t alias_ttl_s = 0;

	for (unsigned i = 0; i < n_answers && !r->is_bad; i++) {
		struct record rec;

		read_record(r, &rec);
		if (r->is_bad)
			break;
		if (rec.class == CLASS_IN && name_is(&rec.owner, &owner)) {
			if (rec.type == w->type) {
				read_wanted(r, &rec, w);
				found = FOUND_WANTED;
			} else if (rec.type == TYPE_CNAME &&
				   found == FOUND_NONE) {
				read_name(r, name);
				r->is_bad |= r->at != rec.end;
				alias_ttl_s = rec.ttl_s;
				found = FOUND_ALIAS;
			}
		}
		r->at = rec.end;
	}
	if (found == FOUND_ALIAS && alias_ttl_s < w->ttl_s)
		w->ttl_s = alias_ttl_s;
	return found;
}

/* --- the reply ------------------------------------------------------------ */

static bool
name_from(struct name *n, span s)
{
	n->len = 0;
	if (span_ends(s, SPAN_LIT(".")))
		s.len--;
	if (s.len == 0 || s.len > sizeof(n->text))
		return false;
	for (; n->len < s.len; n->len++) {
		char c = s.p[n->len];

		n->text[n->len] = c == '.' ? c : label_char((unsigned char)c);
	}
	return true;
}

/* The one question that was asked. false: it answers another one. */
static bool
read_question(struct reader *r, const struct name *name, unsigned type)
{
	struct name asked;

	read_name(r, &asked);
	return read_u16(r) == type && read_u16(r) == CLASS_IN && !r->is_bad &&
	       name_is(&asked, name);
}

/* OK: there are such records. */
static enum dns_rc
read_reply(span reply, span text, struct wanted *w)
{
	struct reader r = {(const uint8_t *)reply.p, reply.len, 0, false};
	enum found found = FOUND_ALIAS;
	unsigned flags, n_questions, n_answers;
	struct name name;
	size_t answers;

	(void)read_u16(&r);
	flags = read_u16(&r);
	n_questions = read_u16(&r);
	n_answers = read_u16(&r);
	r.at = HEAD_LEN;
	if (r.is_bad ||
	    (flags & (IS_REPLY | OPCODE_MASK | IS_CUT)) != IS_REPLY ||
	    n_questions != 1 || !name_from(&name, text) ||
	    !read_question(&r, &name, w->type))
		return DNS_FAILED;
	if ((flags & RCODE_MASK) != RCODE_NONE)
		return (flags & RCODE_MASK) == RCODE_NO_NAME ? DNS_NOT_FOUND
							     : DNS_FAILED;
	answers = r.at;
	for (int i = 0; found == FOUND_ALIAS && i <= ALIASES_MAX; i++) {
		r.at = answers;
		found = read_answers(&r, n_answers, &name, w);
	}
	return r.is_bad || found != FOUND_WANTED ? DNS_FAILED : DNS_OK;
}

enum dns_rc
dns_reply_srv(span reply, span text, struct dns_srvs *out)
{
	struct wanted w = {.type = TYPE_SRV, .ttl_s = TTL_MAX, .srvs = out};
	enum dns_rc rc;

	*out = (struct dns_srvs){.n = 0};
	rc = read_reply(reply, text, &w);
	out->ttl_s = w.ttl_s;
	if (rc != DNS_OK)
		out->n = 0;
	else if (out->n == 0)
		rc = DNS_NOT_FOUND;
	return rc;
}

enum dns_rc
dns_reply_ptr(span reply, span text, struct dns_ptr *out)
{
	struct wanted w = {.type = TYPE_PTR, .ttl_s = TTL_MAX, .ptr = out};
	enum dns_rc rc;

	*out = (struct dns_ptr){.len = 0};
	rc = read_reply(reply, text, &w);
	out->ttl_s = w.ttl_s;
	if (rc == DNS_OK && (w.n > 1 || out->len == 0))
		rc = DNS_FAILED;
	if (rc != DNS_OK)
		out->len = 0;
	return rc;
}
