/* store/kept: heads of answers as bytes. They are read out of shared
 * memory that any worker may have spoiled: nothing in them is believed. */
#include "common/base/check.h"
#include "common/store/kept.h"

#define KEPT_LAYOUT 0x6b657032u /* "kep2": another layout is another number */
/* Fields of one answer; more were refused when it came. */
#define KEPT_FIELDS_MAX 512

struct kept_head {
	uint32_t layout;
	uint8_t kind;
	uint8_t version;
	uint16_t status;
	struct freshness fresh;
	uint64_t epoch;
	int64_t until_ms;
	uint64_t complete_len;
	uint64_t slice;
	struct obj_key base;
	uint32_t n_fields;
	uint32_t reserved;
	/* then n_fields of struct kept_field, then their text */
};

struct kept_field {
	uint16_t id;
	uint16_t name_len;
	uint32_t value_len;
};

static size_t
kept_size(const struct kept *k)
{
	size_t n = sizeof(struct kept_head);

	fields_foreach(f, &k->fields)
	{
		n += sizeof(struct kept_field) + f->name.len + f->value.len;
	}
	return n;
}

static char *
kept_put(char *to, span s)
{
	if (s.len > 0)
		memcpy(to, s.p, s.len);
	return to + s.len;
}

span
kept_write(const struct kept *k, struct arena *a)
{
	size_t len = kept_size(k);
	struct kept_head h = {
	    .layout = KEPT_LAYOUT,
	    .kind = (uint8_t)k->kind,
	    .version = (uint8_t)k->version,
	    .status = k->status,
	    .fresh = k->fresh,
	    .epoch = k->epoch,
	    .until_ms = k->until_ms,
	    .complete_len = k->complete_len,
	    .slice = k->slice,
	    .base = k->base,
	};
	char *rows;
	char *text;
	char *p;

	fields_foreach(f, &k->fields)
	{
		if (f->name.len > UINT16_MAX)
			return span_of(NULL, 0);
		h.n_fields++;
	}
	if (len > OBJECTS_HEAD_MAX || h.n_fields > KEPT_FIELDS_MAX)
		return span_of(NULL, 0);
	p = arena_alloc(a, len);
	memcpy(p, &h, sizeof(h));
	rows = p + sizeof(h);
	text = rows + h.n_fields * sizeof(struct kept_field);
	fields_foreach(f, &k->fields)
	{
		struct kept_field row = {
		    f->id, (uint16_t)f->name.len, (uint32_t)f->value.len};

		rows = kept_put(rows, span_of((char *)&row, sizeof(row)));
		text = kept_put(kept_put(text, f->name), f->value);
	}
	return span_of(p, len);
}

/* Take `n` bytes off the front. */
static bool
kept_take(span *rest, size_t n, span *out)
{
	if (n > rest->len)
		return false;
	*out = span_first(*rest, n);
	*rest = span_from(*rest, n);
	return true;
}

static bool
kept_read_fields(struct http_fields *to, span rows, span *text, struct arena *a)
{
	size_t n = rows.len / sizeof(struct kept_field);

	fields_init(to, a, (uint32_t)n + 8);
	for (size_t i = 0; i < n; i++) {
		struct kept_field row;
		span name;
		span value;

		memcpy(&row, rows.p + i * sizeof(row), sizeof(row));
		if (row.id >= FIELD_N ||
		    !kept_take(text, row.name_len, &name) ||
		    !kept_take(text, row.value_len, &value))
			return false;
		fields_add_known(to, a, (enum field_id)row.id, name, value);
	}
	return true;
}

bool
kept_read(span bytes, struct arena *a, struct kept *out)
{
	struct kept_head h;
	span head;
	span rows;

	memset(out, 0, sizeof(*out));
	if (!kept_take(&bytes, sizeof(h), &head))
		return false;
	memcpy(&h, head.p, sizeof(h));
	if (h.layout != KEPT_LAYOUT || h.kind > KEPT_DICTIONARY ||
	    h.n_fields > KEPT_FIELDS_MAX || h.status < 200 || h.status > 999 ||
	    (h.kind == KEPT_SLICED &&
		(h.slice == 0 || h.complete_len <= h.slice ||
		    h.complete_len > INT64_MAX)))
		return false;
	out->kind = (enum kept_kind)h.kind;
	out->status = h.status;
	out->version = h.version == HTTP_1_0 ? HTTP_1_0
		       : h.version == HTTP_2 ? HTTP_2
					     : HTTP_1_1;
	out->fresh = h.fresh;
	out->epoch = h.epoch;
	out->until_ms = h.until_ms;
	out->complete_len = h.complete_len;
	out->slice = h.slice;
	out->base = h.base;
	return kept_take(
		   &bytes, h.n_fields * sizeof(struct kept_field), &rows) &&
	       kept_read_fields(&out->fields, rows, &bytes, a) &&
	       bytes.len == 0;
}
