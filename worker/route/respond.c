/* route/respond: answers with a status and a text of the configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/tmpl.h"
#include "worker/route/route.h"

/* Largest file that is answered from memory. */
#define RESPOND_FILE_MAX (16u * 1024 * 1024)
#define RESPOND_PATH_MAX 4096

struct respond {
	unsigned status;
	bool has_content; /* else: the page of the status */
	bool is_file;
	span type;
	span file; /* its content */
	struct tmpl text;
};

struct respond_type {
	span ext;
	span type;
};

#define RESPOND_TYPE(ext, type) \
	{ \
		{ext, sizeof(ext) - 1}, \
		{ \
			type, sizeof(type) - 1 \
		} \
	}

static const struct respond_type types[] = {
    RESPOND_TYPE(".html", "text/html; charset=utf-8"),
    RESPOND_TYPE(".htm", "text/html; charset=utf-8"),
    RESPOND_TYPE(".txt", "text/plain; charset=utf-8"),
    RESPOND_TYPE(".css", "text/css; charset=utf-8"),
    RESPOND_TYPE(".js", "text/javascript; charset=utf-8"),
    RESPOND_TYPE(".json", "application/json"),
    RESPOND_TYPE(".xml", "application/xml"),
    RESPOND_TYPE(".svg", "image/svg+xml"),
    RESPOND_TYPE(".png", "image/png"),
    RESPOND_TYPE(".jpg", "image/jpeg"),
    RESPOND_TYPE(".jpeg", "image/jpeg"),
    RESPOND_TYPE(".gif", "image/gif"),
    RESPOND_TYPE(".webp", "image/webp"),
    RESPOND_TYPE(".ico", "image/x-icon"),
    RESPOND_TYPE(".pdf", "application/pdf"),
    RESPOND_TYPE(".wasm", "application/wasm"),
};

static span
respond_type_of(span path)
{
	for (size_t i = 0; i < NELEMS(types); i++)
		if (span_iends(path, types[i].ext))
			return types[i].type;
	return SPAN_LIT("application/octet-stream");
}

/* The path as it can be opened; false when it is too long. */
static bool
respond_path(span path, const struct conf_value *v, const struct diag *d,
    char out[RESPOND_PATH_MAX])
{
	span from = span_str(diag_file_path(d, v->at.file));
	ptrdiff_t slash = span_rchr(from, '/');
	int n;

	if ((path.len > 0 && path.p[0] == '/') || slash < 0)
		from.len = 0;
	else
		from.len = (size_t)slash + 1;
	n = snprintf(
	    out, RESPOND_PATH_MAX, "%.*s%.*s", SPAN_FMT(from), SPAN_FMT(path));
	return n > 0 && n < RESPOND_PATH_MAX;
}

/* Read an open file whole. An errno, EFBIG when it is too large, or 0. */
static int
respond_read(int fd, struct arena *a, span *out)
{
	struct stat st;
	size_t len = 0;
	char *p;

	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	if (st.st_size > RESPOND_FILE_MAX)
		return EFBIG;
	p = arena_alloc(a, (size_t)st.st_size);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, p + len, (size_t)st.st_size - len);

		if (n < 0)
			return errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*out = span_of(p, len);
	return 0;
}

static bool
respond_file(struct respond *r, span path, const struct conf_value *v,
    struct arena *a, struct diag *d)
{
	char name[RESPOND_PATH_MAX];
	int err = ENAMETOOLONG;
	int fd = -1;

	if (respond_path(path, v, d, name)) {
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		err = fd < 0 ? errno : respond_read(fd, a, &r->file);
	}
	if (fd >= 0)
		(void)close(fd);
	if (err != 0)
		diag_error(d, v->at, "cannot read %.*s: %s", SPAN_FMT(path),
		    err == EFBIG    ? "larger than 16m"
		    : err == EINVAL ? "not a regular file"
				    : strerror(err));
	r->is_file = true;
	r->type = respond_type_of(path);
	return err == 0;
}

/* Statuses without content (RFC 9110 6.4.1), and those an answer cannot end
 * with. */
static bool
respond_check(
    uint64_t status, span rest, const struct conf_value *v, struct diag *d)
{
	if (status < 200 || status > 599) {
		diag_error(d, v->at,
		    "respond = STATUS [TEXT], where STATUS is 200 .. 599");
		return false;
	}
	if ((status == 204 || status == 205 || status == 304) && rest.len > 0) {
		diag_error(
		    d, v->at, "respond: a %u has no content", (unsigned)status);
		return false;
	}
	return true;
}

const void *
respond_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct respond *r = arena_zalloc(a, sizeof(*r));
	struct place at = v->at;
	struct var_src src;
	uint64_t status = 0;
	span rest = v->text;
	span word;

	if (!span_word(&rest, &word) || !span_u64(word, 999, &status))
		status = 0;
	rest = span_trim(rest);
	if (!respond_check(status, rest, v, d))
		return NULL;
	r->status = (unsigned)status;
	r->has_content = rest.len > 0;
	if (span_starts(rest, SPAN_LIT("file:")))
		return respond_file(
			   r, span_from(rest, sizeof("file:") - 1), v, a, d)
			   ? r
			   : NULL;
	at.col = (uint16_t)(at.col + (rest.len > 0 ? rest.p - v->text.p : 0));
	r->type = SPAN_LIT("text/plain; charset=utf-8");
	src = (struct var_src){rest, at, VAR_WHEN_REQUEST};
	return tmpl_prepare(&r->text, a, &src, d) ? r : NULL;
}

static enum verdict
respond_open(struct exch *x)
{
	const struct respond *r = x->set->handler_conf;

	if (r->status == 204 || r->status == 304) {
		exch_reply(x, r->status, span_of(NULL, 0), span_of(NULL, 0));
		x->resp.body = LENGTH_NONE;
	} else if (r->is_file)
		exch_reply(x, r->status, r->type, r->file);
	else if (r->has_content)
		exch_reply(x, r->status, r->type,
		    tmpl_render(&r->text, x, TMPL_PLAIN));
	else if (r->status < 300)
		exch_reply(x, r->status, span_of(NULL, 0), span_of(NULL, 0));
	else
		exch_reply_status(x, r->status);
	return VERDICT_REPLY;
}

const struct handler respond_handler = {
    .name = "respond",
    .open = respond_open,
};
