/* sec_op_list: the operators that look into lists, of phrases and of networks,
 * which stand in the argument or in files beside the rules. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/iptrie.h"
#include "common/base/linefile.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "worker/sec/sec_lex.h"
#include "worker/sec/sec_op_int.h"
#include "worker/sec/sec_pm.h"

#define V4_BITS 32
#define V6_BITS 128

/* A part of an argument, for a message. */
static struct place
place_of(struct place at, span argument, span part)
{
	at.col = (uint16_t)size_min(
	    at.col + (size_t)(part.p - argument.p), UINT16_MAX);
	at.len = (uint16_t)size_min(part.len, UINT16_MAX);
	return at;
}

/* The next word, between white space of any kind. */
static bool
next_word(span *rest, span *word)
{
	size_t i = 0;

	while (i < rest->len && sec_white(rest->p[i]))
		i++;
	*rest = span_from(*rest, i);
	for (i = 0; i < rest->len && !sec_white(rest->p[i]);)
		i++;
	*word = span_first(*rest, i);
	*rest = span_from(*rest, i);
	return word->len > 0;
}

/* --- phrases -------------------------------------------------------------- */

/* What is being read: the bytes so far, and where we are. */
struct phrase {
	char *room;
	size_t n;
	bool is_bytes; /* between | and | */
	bool is_escaped;
	bool is_converted;
	unsigned n_digits;
	int digit;
};

static void
phrase_digit(struct phrase *p, char c)
{
	int digit = char_hex(c);

	if (digit < 0)
		return;
	if (p->n_digits++ == 0) {
		p->digit = digit;
		return;
	}
	p->n_digits = 0;
	p->room[p->n++] = (char)(p->digit << 4 | digit);
	p->is_converted = true;
}

/* false: an escape that does not exist. */
static bool
phrase_byte(struct phrase *p, char c)
{
	if (c == '|') {
		p->is_bytes = !p->is_bytes;
	} else if (!p->is_escaped && c == '\\') {
		p->is_escaped = true;
	} else if (p->is_bytes) {
		phrase_digit(p, c);
	} else {
		if (p->is_escaped && c != ':' && c != ';' && c != '\\' &&
		    c != '"')
			return false;
		p->is_converted = p->is_converted || p->is_escaped;
		p->is_escaped = false;
		p->room[p->n++] = c;
	}
	return true;
}

bool
sec_op_phrase(span s, char *room, span *out)
{
	struct phrase p = {.room = room};

	for (size_t i = 0; i < s.len; i++) {
		if (!phrase_byte(&p, s.p[i]))
			return false;
	}
	/* signs without a byte between them: the reference keeps what they
	 * stood before */
	if (!p.is_converted && p.n < s.len) {
		memcpy(room + p.n, s.p + p.n, s.len - p.n);
		p.n = s.len;
	}
	*out = span_of(room, sec_chr(span_of(room, p.n), 0, '\0'));
	return true;
}

span
sec_op_unquoted(span argument)
{
	span s = sec_trim(argument);

	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		return span_of(s.p + 1, s.len - 2);
	return s;
}

static bool
add_phrase(struct sec_pm *pm, span phrase, struct place at, struct diag *d)
{
	if (sec_pm_add(pm, phrase))
		return true;
	diag_error(d, at, "a phrase has at most %u bytes, all of them %u",
	    SEC_PM_PHRASE_MAX, SEC_PM_MAX);
	return false;
}

struct sec_pm *
sec_op_pm(span argument, struct place at, struct diag *d)
{
	char *room = malloc(argument.len + 1);
	struct sec_pm *pm = sec_pm_new();
	bool is_good = true;
	span rest;
	span word;

	REQUIRE(room != NULL);
	/* what cannot be read as phrases is taken as it stands */
	if (!sec_op_phrase(sec_op_unquoted(argument), room, &rest))
		rest = argument;
	while (is_good && next_word(&rest, &word))
		is_good = add_phrase(pm, word, at, d);
	free(room);
	if (is_good) {
		sec_pm_done(pm);
		return pm;
	}
	sec_pm_free(pm);
	return NULL;
}

/* --- files ---------------------------------------------------------------- */

/* Lists in files, and what is done with each line. */
struct lists {
	span argument; /* names of files */
	struct place at;
	const char *folder; /* where they are, unless a name says all */
	enum linefile_tail tail;
	void (*on_line)(struct lists *l, struct linefile *f, span line);
	struct sec_pm *pm;
	struct iptrie *ips;
	char room[LINEFILE_LINE_MAX];
};

static bool
list_path(const struct lists *l, span name, char path[PATH_MAX])
{
	bool is_whole = name.p[0] == '/' || l->folder == NULL;
	int n = is_whole ? snprintf(path, PATH_MAX, "%.*s", SPAN_FMT(name))
			 : snprintf(path, PATH_MAX, "%s/%.*s", l->folder,
			       SPAN_FMT(name));

	return n >= 0 && n < PATH_MAX;
}

static bool
read_list(struct lists *l, span name, struct diag *d)
{
	struct place at = place_of(l->at, l->argument, name);
	char path[PATH_MAX];
	struct linefile f;
	span line;
	bool is_good;

	if (span_find(name, SPAN_LIT("://")) > 0 || !list_path(l, name, path)) {
		diag_error(d, at,
		    "\"%.*s\" is no name of a file: lists are "
		    "not fetched",
		    SPAN_FMT(name));
		return false;
	}
	if (!linefile_open(&f, path, l->tail, at, d))
		return false;
	while (linefile_next(&f, &line))
		l->on_line(l, &f, line);
	is_good = f.n_errors == 0;
	linefile_close(&f);
	return is_good;
}

static bool
read_lists(struct lists *l, struct diag *d)
{
	span rest = l->argument;
	bool is_good = true;
	bool is_named = false;
	span name;

	while (next_word(&rest, &name)) {
		is_good = read_list(l, name, d) && is_good;
		is_named = true;
	}
	if (!is_named)
		diag_error(d, l->at, "the name of a file is missing");
	return is_good && is_named;
}

/* One phrase a line. The reference passes over those of one byte. */
static void
phrase_line(struct lists *l, struct linefile *f, span line)
{
	span phrase;

	if (!sec_op_phrase(line, l->room, &phrase))
		phrase = line;
	phrase = sec_trim(phrase);
	if (phrase.len < 2 || phrase.p[0] == '#')
		return;
	if (!sec_pm_add(l->pm, phrase))
		linefile_error(
		    f, line, "phrases have at most %u bytes", SEC_PM_MAX);
}

struct sec_pm *
sec_op_pm_from_file(span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	struct lists l = {.argument = argument,
	    .at = at,
	    .folder = env->folder,
	    .tail = LINEFILE_WHOLE,
	    .on_line = phrase_line,
	    .pm = sec_pm_new()};

	if (read_lists(&l, d)) {
		sec_pm_done(l.pm);
		return l.pm;
	}
	sec_pm_free(l.pm);
	return NULL;
}

/* --- networks ------------------------------------------------------------- */

/* An address or a network; bits behind its prefix do not matter. */
static bool
read_net(span s, struct ip_prefix *out)
{
	ptrdiff_t slash = span_chr(s, '/');
	uint64_t bits = V6_BITS;
	unsigned max;

	if (!ip_parse(slash < 0 ? s : span_first(s, (size_t)slash), &out->ip))
		return false;
	max = ip_is_v4(&out->ip) ? V4_BITS : V6_BITS;
	if (slash >= 0 &&
	    !span_u64(span_from(s, (size_t)slash + 1), max, &bits))
		return false;
	/* of IPv4 they count in the form of IPv6 */
	if (slash >= 0)
		bits += V6_BITS - max;
	out->bits = (uint8_t)bits;
	ip_mask(&out->ip, out->bits);
	return true;
}

struct iptrie *
sec_op_ips(span argument, struct place at, struct diag *d)
{
	struct iptrie *ips = iptrie_new();
	span rest = argument;
	bool is_good = true;
	span part;

	while (span_cut(&rest, ',', &part)) {
		struct ip_prefix net;

		part = sec_trim(part);
		if (part.len == 0)
			continue;
		if (read_net(part, &net)) {
			iptrie_add(ips, &net);
			continue;
		}
		diag_error(d, place_of(at, argument, part),
		    "\"%.*s\" is no address or network like 10.0.0.0/8",
		    SPAN_FMT(part));
		is_good = false;
	}
	if (is_good) {
		iptrie_done(ips);
		return ips;
	}
	iptrie_free(ips);
	return NULL;
}

static void
net_line(struct lists *l, struct linefile *f, span line)
{
	struct ip_prefix net;

	if (read_net(line, &net))
		iptrie_add(l->ips, &net);
	else
		linefile_error(f, line,
		    "\"%.*s\" is no address or network like 10.0.0.0/8",
		    SPAN_FMT(line));
}

struct iptrie *
sec_op_ips_from_file(span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	struct lists l = {.argument = argument,
	    .at = at,
	    .folder = env->folder,
	    .tail = LINEFILE_COMMENT,
	    .on_line = net_line,
	    .ips = iptrie_new()};

	if (read_lists(&l, d)) {
		iptrie_done(l.ips);
		return l.ips;
	}
	iptrie_free(l.ips);
	return NULL;
}

bool
sec_op_ip_match(const struct iptrie *ips, span text)
{
	struct ip ip;

	return ip_parse(text, &ip) && iptrie_find(ips, &ip);
}
