/* files/files_serve: an answer out of a file. The head says what the file is
 * told apart by; the content goes from the file into the socket where nobody
 * looks at it, else block by block. */
#include <errno.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/conditional.h"
#include "common/http/ranges.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/exch/target.h"
#include "worker/files/files.h"
#include "worker/files/files_int.h"

#define SERVE_PART_CAP 512
/* What is shorter is read, and goes with the head: one call. */
#define SERVE_FILE_MIN (64u * 1024)

/* A stretch of the answer: of the file, or text between its parts. */
struct serve_piece {
	bool is_text;
	span text;
	struct range range;
};

#define SERVE_PIECES (2 * RANGES_MAX + 1)

struct serve {
	int dir;
	struct file *file;
	unsigned n_pieces;
	unsigned piece;
	uint64_t sent; /* of that piece */
	struct serve_piece pieces[SERVE_PIECES];
};

/* Nanoseconds of the unit that the time was written in. Programs that give what
 * they make the time of its source leave smaller ones out: pigz and brotli 1.0.9
 * have seconds. */
static int64_t
file_time_unit(int64_t ns)
{
	static const int64_t units[] = {1000000000, 1000000, 1000};

	for (size_t i = 0; i < NELEMS(units); i++)
		if (ns % units[i] == 0)
			return units[i];
	return 1;
}

/* Whether a was written before b, as far as a tells. */
static bool
file_is_older(const struct file *a, const struct file *b)
{
	int64_t unit = file_time_unit(a->modified_ns);

	if (a->modified_s != b->modified_s)
		return a->modified_s < b->modified_s;
	return a->modified_ns / unit < b->modified_ns / unit;
}

static struct serve *
serve_of(const struct exch *x)
{
	return x->handler_state;
}

static void
serve_add(struct serve *s, struct range r)
{
	s->pieces[s->n_pieces++] = (struct serve_piece){.range = r};
}

static void
serve_add_text(struct serve *s, span text)
{
	s->pieces[s->n_pieces++] =
	    (struct serve_piece){.is_text = true, .text = text};
}

static void
serve_whole(struct serve *s)
{
	s->n_pieces = 0;
	if (s->file->size > 0)
		serve_add(s, (struct range){0, s->file->size - 1});
}

/* --- the head ------------------------------------------------------------- */

static void
serve_field(struct exch *x, enum field_id id, span value)
{
	fields_set(&x->resp.fields, &x->arena, id, value);
}

/* When the file was changed, or now if its clock is ahead of ours (RFC 9110
 * 8.8.2.1). */
static span
serve_modified(struct exch *x, int64_t *at_s)
{
	const struct file *f = serve_of(x)->file;
	int64_t now_s = clock_wall_s(worker_clock(x->w));
	char *p;

	*at_s = f->modified_s;
	if (f->modified_s <= now_s)
		return span_of(f->modified, DATE_HTTP_LEN);
	*at_s = now_s;
	p = arena_alloc(&x->arena, DATE_HTTP_LEN);
	date_format_http(now_s, p);
	return span_of(p, DATE_HTTP_LEN);
}

static void
serve_validators(struct exch *x, struct validators *v)
{
	*v = (struct validators){
	    .has_etag = true,
	    .etag = {serve_of(x)->file->etag, false},
	    .has_modified = true,
	    .has_date = true,
	    .date_s = clock_wall_s(worker_clock(x->w)),
	};
	v->modified = serve_modified(x, &v->modified_s);
}

/* An answer whose content is still to be made. */
static void
serve_head(struct exch *x, unsigned status, uint64_t length)
{
	const struct file *f = serve_of(x)->file;
	int64_t at_s;

	exch_reply(x, status, f->type, span_of(NULL, 0));
	x->resp.length = length;
	/* the log may read them when the file is gone */
	serve_field(x, FIELD_ETAG, arena_span(&x->arena, f->etag));
	serve_field(x, FIELD_LAST_MODIFIED,
	    arena_span(&x->arena, serve_modified(x, &at_s)));
	if (x->req.method == METHOD_HEAD || length == 0)
		serve_of(x)->n_pieces = 0;
	else
		body_reopen(&x->resp_body);
}

static void
serve_not_modified(struct exch *x)
{
	serve_of(x)->n_pieces = 0;
	serve_head(x, 304, 0);
	(void)fields_del(&x->resp.fields, FIELD_CONTENT_TYPE);
	x->resp.body = LENGTH_NONE;
}

/* RFC 9110 13.1.1, 13.1.4: whether what must hold does. Those fields are done
 * with then. */
static bool
serve_may_go_on(struct exch *x, const struct validators *v)
{
	const struct http_field *f =
	    fields_find(&x->req.fields, FIELD_IF_MATCH);
	span rest = fields_joined(&x->req.fields, FIELD_IF_MATCH, &x->arena);
	bool holds = span_eq(span_trim(rest), SPAN_LIT("*"));
	struct etag one;
	int64_t since;

	while (f != NULL && !holds && etag_next(&rest, &one))
		holds = etag_is_strong_match(&one, &v->etag);
	if (f == NULL) {
		f = fields_find(&x->req.fields, FIELD_IF_UNMODIFIED_SINCE);
		holds = f == NULL ||
			!date_parse_http(f->value, v->date_s, &since) ||
			v->modified_s <= since;
	}
	(void)fields_del(&x->req.fields, FIELD_IF_MATCH);
	(void)fields_del(&x->req.fields, FIELD_IF_UNMODIFIED_SINCE);
	return holds;
}

/* RFC 9110 15.3.7.2 */
static void
serve_parts(struct exch *x, const struct ranges *r)
{
	struct serve *s = serve_of(x);
	struct multipart m = {
	    .boundary = arena_printf(&x->arena, "gatehouse-%016llx",
		(unsigned long long)(x->w->id_salt ^ ++x->w->request_seq)),
	    .content_type = s->file->type,
	    .complete_len = s->file->size,
	};
	size_t cap = SERVE_PART_CAP + s->file->type.len;
	char *p;

	for (unsigned i = 0; i < r->n; i++) {
		p = arena_alloc(&x->arena, cap);
		serve_add_text(s,
		    span_of(p, multipart_head(&m, r->at[i], i == 0, p, cap)));
		serve_add(s, r->at[i]);
	}
	p = arena_alloc(&x->arena, cap);
	serve_add_text(s, span_of(p, multipart_tail(&m, p, cap)));
	serve_head(x, 206, multipart_len(&m, r));
	p = arena_alloc(&x->arena, cap);
	serve_field(
	    x, FIELD_CONTENT_TYPE, span_of(p, multipart_type(&m, p, cap)));
}

static void
serve_part(struct exch *x, struct range r)
{
	char *p = arena_alloc(&x->arena, CONTENT_RANGE_CAP);

	serve_add(serve_of(x), r);
	serve_head(x, 206, range_len(r));
	serve_field(x, FIELD_CONTENT_RANGE,
	    span_of(p, content_range_write(r, serve_of(x)->file->size, p)));
}

static void
serve_unsatisfiable(struct exch *x)
{
	char *p = arena_alloc(&x->arena, CONTENT_RANGE_CAP);
	uint64_t size = serve_of(x)->file->size;

	exch_reply_status(x, 416);
	serve_field(x, FIELD_CONTENT_RANGE,
	    span_of(p, content_range_write_unsatisfied(size, p)));
}

static void
serve_content(struct exch *x, const struct validators *v)
{
	span value = exch_req_field(x, FIELD_RANGE);
	enum ranges_rc rc = RANGES_IGNORE;
	struct ranges r;

	if (value.len > 0 && x->req.method == METHOD_GET &&
	    condition_allows_range(&x->req.fields, v))
		rc = ranges_parse(value, serve_of(x)->file->size, &r);
	switch (rc) {
	case RANGES_UNSATISFIABLE:
		serve_unsatisfiable(x);
		return;
	case RANGES_OK:
		if (r.n == 1)
			serve_part(x, r.at[0]);
		else
			serve_parts(x, &r);
		return;
	case RANGES_IGNORE:
		serve_whole(serve_of(x));
		serve_head(x, 200, serve_of(x)->file->size);
		serve_field(x, FIELD_ACCEPT_RANGES, SPAN_LIT("bytes"));
		return;
	}
	UNREACHED();
}

static void
serve_file(struct exch *x)
{
	struct validators v;

	serve_validators(x, &v);
	if (!serve_may_go_on(x, &v))
		exch_reply_status(x, 412);
	else if (condition_judge(&x->req, 200, &v, v.date_s) ==
		 CONDITION_NOT_MODIFIED)
		serve_not_modified(x);
	else
		serve_content(x, &v);
}

/* --- which file ----------------------------------------------------------- */

/* What the client is told when there is no file. What it may not know looks as
 * if it was not there: a link, a name that is no file. */
static enum verdict
serve_error(struct exch *x, int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV:
	case ENXIO:
		exch_reply_status(x, 404);
		return VERDICT_REPLY;
	case EACCES:
	case EPERM:
		exch_reply_status(x, 403);
		return VERDICT_REPLY;
	default:
		exch_fault(x, F_FILE_BROKEN, err);
		return VERDICT_FAULT;
	}
}

/* The client is in the folder only behind its slash: links in its page count
 * from there. A path in normal form is of this host to everybody. */
static enum verdict
serve_slash(struct exch *x)
{
	span to = arena_printf(&x->arena, "%.*s/%s%.*s", SPAN_FMT(x->path),
	    x->req.has_query ? "?" : "", SPAN_FMT(x->req.query));

	exch_reply_elsewhere(x, 301, to);
	return VERDICT_REPLY;
}

/* The file that stands for a folder, whose name ends with '/' or is empty. NULL
 * with errno: EISDIR if there is a folder without any. */
static struct file *
serve_index(struct exch *x, span name)
{
	const struct plan_index *index = &x->set->index;
	int dir = serve_of(x)->dir;
	struct file *f;

	for (uint32_t i = 0; i < index->n; i++) {
		span parts[] = {name, index->names[i]};

		f = file_open(
		    x->w, dir, arena_concat(&x->arena, parts, NELEMS(parts)));
		if (f != NULL || errno != ENOENT)
			return f;
	}
	return file_open(x->w, dir, name.len == 0 ? SPAN_LIT(".") : name);
}

/* Whether the client is where links in a folder's page are to count from: behind
 * a slash, or, for who wants no such slashes, without. */
static bool
serve_is_in_place(const struct exch *x)
{
	return span_ends(x->path, SPAN_LIT("/")) ||
	       x->set->canon.slash == PLAN_SLASH_REMOVE;
}

static enum verdict
serve_found(struct exch *x)
{
	sink_note(x, "file", x->set->handler_at, "%.*s",
	    SPAN_FMT(serve_of(x)->file->name));
	serve_file(x);
	return VERDICT_REPLY;
}

/* A folder, whose name ends with '/' or is empty. What a rewrite leads to one
 * stays where it is; that a prefix was all of the path makes no slash. */
static enum verdict
serve_folder(struct exch *x, span name)
{
	struct file *f = serve_index(x, name);

	if (f == NULL && errno != EISDIR)
		return serve_error(x, errno);
	if (!serve_is_in_place(x) && x->target == NULL) {
		file_unref(f);
		return serve_slash(x);
	}
	if (f == NULL)
		return serve_error(x, EACCES);
	serve_of(x)->file = f;
	return serve_found(x);
}

static enum verdict
serve_name(struct exch *x, span name)
{
	span parts[] = {name, SPAN_LIT("/")};
	struct serve *s = serve_of(x);

	if (name.len == 0 || name.p[name.len - 1] == '/')
		return serve_folder(x, name);
	s->file = file_open(x->w, s->dir, name);
	if (s->file != NULL)
		return serve_found(x);
	if (errno != EISDIR)
		return serve_error(x, errno);
	if (!serve_is_in_place(x))
		return serve_slash(x);
	return serve_folder(x, arena_concat(&x->arena, parts, NELEMS(parts)));
}

static enum verdict
serve_open(struct exch *x)
{
	const struct files_root *root = x->set->handler_conf;
	struct serve *s = arena_zalloc(&x->arena, sizeof(*s));
	span name;

	x->handler_state = s;
	s->dir = root->fd;
	if (x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) {
		exch_reply_status(x, 405);
		serve_field(x, FIELD_ALLOW, SPAN_LIT("GET, HEAD"));
		return VERDICT_REPLY;
	}
	if (x->path_is_ambiguous) {
		exch_fault(x, F_PATH_AMBIGUOUS, 0);
		return VERDICT_FAULT;
	}
	name = files_name(&x->arena, target_path(x));
	if (name.p == NULL)
		return serve_error(x, ENOENT);
	return serve_name(x, name);
}

/* --- the content ---------------------------------------------------------- */

/* One block out of the file. Bytes, 0 at its end, or -1 with errno. */
static ssize_t
serve_read(struct exch *x, uint64_t off, uint64_t len)
{
	struct buf *b = buf_new(&x->w->bufs);
	struct slice sl;
	ssize_t n;

	n = pread(serve_of(x)->file->fd, b->data, (size_t)u64_min(len, b->cap),
	    (off_t)off);
	if (n > 0) {
		b->used = (uint32_t)n;
		sl = slice_of(b, 0, b->used);
		body_push(&x->resp_body, &sl);
	}
	buf_unref(b);
	return n;
}

/* Bytes of the piece, as many as the answer takes at once. > 0 bytes, 0: the
 * file has no more, or -1 with errno; EAGAIN: the answer takes none now. */
static ssize_t
serve_bytes(struct exch *x, struct range r)
{
	struct serve *s = serve_of(x);
	struct body *b = &x->resp_body;
	uint64_t off = r.first + s->sent;
	uint64_t len = r.last - off + 1;

	if (s->file->content != NULL) {
		struct slice sl =
		    slice_of(s->file->content, (uint32_t)off, (uint32_t)len);

		body_push(b, &sl);
		return (ssize_t)len;
	}
	/* behind what was pushed as bytes, when that is consumed */
	if (s->n_pieces == 1 && (b->piped > 0 || len >= SERVE_FILE_MIN) &&
	    body_takes_file(b)) {
		uint64_t n = b->len > b->piped
				 ? 0
				 : body_give_file(b, s->file->fd, off, len);

		errno = EAGAIN;
		return n > 0 ? (ssize_t)n : -1;
	}
	return serve_read(x, off, len);
}

/* Some of the piece that is next. false: nothing moved. */
static bool
serve_step(struct exch *x, struct serve *s)
{
	const struct serve_piece *p = &s->pieces[s->piece];
	uint64_t len = p->is_text ? p->text.len : range_len(p->range);
	ssize_t n;

	if (p->is_text) {
		struct slice sl = {NULL, p->text.p, (uint32_t)p->text.len};

		body_push(&x->resp_body, &sl);
		n = (ssize_t)len;
	} else
		n = serve_bytes(x, p->range);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		/* shorter than was promised: it must not look complete */
		s->file->is_broken = true;
		body_abort(&x->resp_body, F_FILE_BROKEN);
		exch_fault(x, F_FILE_BROKEN, n < 0 ? errno : 0);
		return true;
	}
	s->sent += (uint64_t)n;
	if (s->sent == len) {
		s->piece++;
		s->sent = 0;
	}
	return true;
}

/* Whether the head goes first: the client's side takes a file, as far as can be
 * told before it says so with the head, and none of the content is copied then.
 * Asked for the first content; the second time there is none to wait for. */
static bool
serve_waits(const struct exch *x, const struct serve *s)
{
	const struct body *b = &x->resp_body;

	return s->n_pieces == 1 && !s->pieces[0].is_text && b->total == 0 &&
	       !b->is_prompt && x->out == b && s->file->content == NULL &&
	       range_len(s->pieces[0].range) >= SERVE_FILE_MIN &&
	       x->client.tls == NULL && x->req.version != HTTP_2;
}

static bool
serve_pump(struct exch *x)
{
	struct serve *s = serve_of(x);
	struct body *b = &x->resp_body;
	bool moved = false;

	if (b->state != BODY_OPEN)
		return false;
	if (serve_waits(x, s)) {
		b->is_prompt = true;
		return false;
	}
	while (s->piece < s->n_pieces && body_room(b) > 0) {
		if (!serve_step(x, s))
			return moved;
		moved = true;
		if (x->is_failing)
			return true;
		/* the first block goes with the head; whether the client's side
		 * takes a file is known then */
		if (s->piece < s->n_pieces && b->total <= BUF_CAP)
			return true;
	}
	if (s->piece < s->n_pieces)
		return moved;
	body_end(b);
	return true;
}

/* A sibling with the content in that coding, made before and not older than the
 * file. */
static bool
serve_code(struct exch *x, enum coding c, uint64_t *length)
{
	static const span suffix[CODING_N] = {
	    [CODING_GZIP] = {".gz", 3},
	    [CODING_BR] = {".br", 3},
	    [CODING_ZSTD] = {".zst", 4},
	};
	struct serve *s = serve_of(x);
	span parts[2];
	struct file *f;

	if (s->file == NULL || x->resp.status != 200 || s->file->size == 0 ||
	    suffix[c].len == 0)
		return false;
	parts[0] = s->file->name;
	parts[1] = suffix[c];
	f = file_open(
	    x->w, s->dir, arena_concat(&x->arena, parts, NELEMS(parts)));
	if (f == NULL)
		return false;
	if (f->size == 0 || file_is_older(f, s->file)) {
		file_unref(f);
		return false;
	}
	file_unref(s->file);
	s->file = f;
	if (x->req.method != METHOD_HEAD)
		serve_whole(s);
	*length = f->size;
	return true;
}

static void
serve_close(struct exch *x)
{
	struct serve *s = serve_of(x);

	/* found out by whoever sent it */
	if (s->file != NULL && x->fault == F_FILE_BROKEN)
		s->file->is_broken = true;
	file_unref(s->file);
	s->file = NULL;
}

const struct handler files_handler = {
    .name = "root",
    .open = serve_open,
    .pump = serve_pump,
    .code = serve_code,
    .close = serve_close,
};
