/* unit/objects_fixture: bytes that tell where they come from. */
#include "t/unit/objects_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Bytes of one append: no multiple of a block. */
#define PIECE 40001u
/* Looks at a head that is replaced all the time. */
#define HEAD_LOOKS 1000
#define PIECES_READ 16

void
store_open_in(struct store *s, struct segment *segment, struct slots *slots,
    uint64_t memory)
{
	s->segment = segment;
	s->slots = slots;
	REQUIRE(wake_open(&s->wakes) == 0);
	s->cache = objects_claim(segment, span_str("pages"), memory);
	REQUIRE(s->cache != NULL);
}

void
store_open(struct store *s, uint64_t budget, uint64_t memory)
{
	struct segment *segment = segment_new(budget);

	REQUIRE(segment != NULL);
	store_open_in(s, segment, slots_map(segment, true), memory);
}

void
store_close(struct store *s)
{
	objects_unclaim(s->segment, s->cache);
	wake_close(&s->wakes);
}

struct objects_view *
store_view(struct store *s)
{
	int slot = slots_take(s->slots, SLOT_WORKER, 1, 1);

	REQUIRE(slot >= 0);
	return objects_view_new(s->cache, s->slots, &s->wakes,
	    (struct slot_name){
		(uint32_t)slot, atomic_load(&s->slots->at[slot].incarnation)});
}

void
store_sweep(struct objects_view *v)
{
	/* the first call may be in the middle of a walk */
	for (int i = 0; i < 1000 && (objects_sweep(v) || i < 3); i++)
		continue;
}

void
store_check(struct objects_view *v)
{
	const char *why = NULL;

	ck_assert_msg(objects_check(v, &why), "%s", why);
}

struct obj_key
store_key(const struct objects_view *v, uint32_t name)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "/object/%u", name);
	return objects_key(v, span_str(text));
}

/* --- bytes ---------------------------------------------------------------- */

/* Eight bytes of the body, from 8 * i on. */
static uint64_t
body_word(const struct made *m, uint64_t i)
{
	uint64_t x = ((uint64_t)m->name << 32 | m->version) + i;

	x *= 0x9e3779b97f4a7c15u;
	return x ^ x >> 29;
}

/* Bytes [off, off + len) of the body. */
static void
body_bytes(const struct made *m, uint64_t off, char *out, size_t len)
{
	while (len > 0) {
		uint64_t word = body_word(m, off / 8);
		size_t n = size_min(len, 8 - off % 8);

		memcpy(out, (char *)&word + off % 8, n);
		out += n;
		off += n;
		len -= n;
	}
}

/* What the caller's own bytes of a head begin with; the rest is the same byte
 * all over, as many as the version says. */
struct head_facts {
	uint32_t name;
	uint32_t version;
	uint32_t len;
	uint32_t head_version;
};

static uint32_t
head_fill(uint32_t head_version)
{
	return head_version * 131 % 1500;
}

void
made_head(const struct made *m, uint32_t head_version, uint64_t *buf,
    struct obj_head *out)
{
	struct head_facts f = {m->name, m->version, m->len, head_version};
	char *at = (char *)(buf + 2);
	int n = snprintf(at, 32, "/object/%u", m->name);

	buf[0] = m->name;
	buf[1] = m->name % 7;
	out->labels = buf;
	out->n_labels = 2;
	out->name = span_of(at, (size_t)n);
	at += n;
	memcpy(at, &f, sizeof(f));
	memset(at + sizeof(f), (int)(head_version & 0x7f),
	    head_fill(head_version));
	out->bytes = span_of(at, sizeof(f) + head_fill(head_version));
}

bool
made_append(struct objects_view *v, struct obj_ref r, const struct made *m,
    uint32_t from, uint32_t len)
{
	static char piece[PIECE];

	while (len > 0) {
		uint32_t n = (uint32_t)u64_min(len, sizeof(piece));

		body_bytes(m, from, piece, n);
		if (!objects_append(v, r, piece, n))
			return false;
		from += n;
		len -= n;
	}
	return true;
}

bool
made_store(struct objects_view *v, const struct made *m)
{
	struct obj_key k = store_key(v, m->name);
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;
	struct obj_ref r;
	bool is_done = false;
	enum obj_begin rc = objects_begin(v, &k, &r);

	if (rc == OBJ_NO_ROOM)
		return false;
	if (rc == OBJ_OTHER) {
		objects_unpin(v, r);
		return false;
	}
	made_head(m, m->version, buf, &h);
	if (objects_set_head(v, r, &h, m->is_open ? OBJECTS_OPEN : m->len) &&
	    made_append(v, r, m, 0, m->len))
		is_done = objects_finish(v, r);
	else
		objects_abandon(v, r);
	objects_unpin(v, r);
	return is_done;
}

/* --- reading -------------------------------------------------------------- */

static bool
head_is(const struct obj_head *h, uint32_t name, struct head_facts *f)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "/object/%u", name);
	if (h->bytes.len < sizeof(*f) || !span_eq(h->name, span_str(text)) ||
	    h->n_labels != 2 || h->labels[0] != name ||
	    h->labels[1] != name % 7)
		return false;
	memcpy(f, h->bytes.p, sizeof(*f));
	if (f->name != name ||
	    h->bytes.len != sizeof(*f) + head_fill(f->head_version))
		return false;
	for (size_t i = sizeof(*f); i < h->bytes.len; i++)
		if (h->bytes.p[i] != (char)(f->head_version & 0x7f))
			return false;
	return true;
}

static bool
piece_is(const struct made *m, uint64_t off, const struct iovec *iov)
{
	static char wanted[PIECE];
	size_t done = 0;

	while (done < iov->iov_len) {
		size_t n = size_min(iov->iov_len - done, sizeof(wanted));

		body_bytes(m, off + done, wanted, n);
		if (memcmp((char *)iov->iov_base + done, wanted, n) != 0)
			return false;
		done += n;
	}
	return true;
}

static bool
body_is(struct objects_view *v, struct obj_ref r, const struct made *m,
    uint64_t filled)
{
	struct iovec iov[PIECES_READ];
	uint64_t off = 0;
	uint64_t bytes = 1;

	while (off < filled && bytes > 0) {
		int n = objects_body(
		    v, r, off, filled - off, iov, PIECES_READ, &bytes);

		for (int i = 0; i < n; i++) {
			if (!piece_is(m, off, &iov[i]))
				return false;
			off += iov[i].iov_len;
		}
	}
	return off == filled;
}

bool
made_is_whole(
    struct objects_view *v, struct obj_ref r, uint32_t name, struct made *out)
{
	uint64_t buf[STORE_HEAD_CAP / 8];
	struct obj_head h;
	struct head_facts f;
	struct obj_facts facts;
	ssize_t rc = -1;

	*out = (struct made){.name = name};
	objects_facts(v, r, &facts);
	for (int i = 0; rc < 0 && i < HEAD_LOOKS; i++)
		rc = objects_head(v, r, buf, sizeof(buf), &h);
	if (rc < 0)
		return facts.state != OBJ_READY && facts.filled == 0;
	if (rc > 0 || !head_is(&h, name, &f))
		return false;
	out->version = f.version;
	out->len = f.len;
	return facts.filled <= f.len &&
	       (facts.state != OBJ_READY || facts.filled == f.len) &&
	       body_is(v, r, out, facts.filled);
}
