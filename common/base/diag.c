/* base/diag: a bounded list of problems, and how they look to people. */
#include "common/base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/vec.h"

#define DIAG_TEXT_MAX 1024
/* Longest source line that is shown. */
#define DIAG_SHOW_MAX 200
/* Words longer than this are not compared. */
#define SUGGEST_MAX 64
/* Files of one list that other processes may name: far above what a
 * configuration includes. */
#define SOURCES_MAX 4096u

struct diag_source {
	char *path;
	char *text;
	size_t len;
};

struct diag_entry {
	enum diag_level level;
	struct place at;
	uint32_t no; /* order of arrival */
	char *text;
};

struct diag {
	struct vec sources;
	struct vec secrets; /* places */
	struct vec entries;
	uint32_t count[2];
};

struct diag *
diag_new(void)
{
	struct diag *d = calloc(1, sizeof(*d));

	REQUIRE(d != NULL);
	return d;
}

void
diag_forget(struct diag *d)
{
	for (uint32_t i = 0; i < d->entries.n; i++) {
		struct diag_entry *e = d->entries.at[i];

		free(e->text);
		free(e);
	}
	vec_fini(&d->entries);
	d->entries = (struct vec){0};
	d->count[DIAG_ERROR] = d->count[DIAG_WARNING] = 0;
}

void
diag_free(struct diag *d)
{
	if (d == NULL)
		return;
	for (uint32_t i = 0; i < d->sources.n; i++) {
		struct diag_source *s = d->sources.at[i];

		free(s->path);
		free(s->text);
		free(s);
	}
	vec_fini(&d->sources);
	for (uint32_t i = 0; i < d->secrets.n; i++)
		free(d->secrets.at[i]);
	vec_fini(&d->secrets);
	diag_forget(d);
	free(d);
}

static char *
copy_text(const char *p, size_t len)
{
	char *copy = malloc(len + 1);

	REQUIRE(copy != NULL);
	if (len > 0)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

uint16_t
diag_file(struct diag *d, const char *path, span text)
{
	struct diag_source *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL && d->sources.n < UINT16_MAX);
	s->path = copy_text(path, strlen(path));
	s->text = copy_text(text.p, text.len);
	s->len = text.len;
	vec_push(&d->sources, s);
	return (uint16_t)(d->sources.n - 1);
}

const char *
diag_file_path(const struct diag *d, uint16_t file)
{
	const struct diag_source *s;

	if (file >= d->sources.n)
		return "";
	s = d->sources.at[file];
	return s->path;
}

void
diag_hide(struct diag *d, struct place at)
{
	struct place *copy = malloc(sizeof(*copy));

	REQUIRE(copy != NULL);
	*copy = at;
	vec_push(&d->secrets, copy);
}

static bool
diag_has(const struct diag *d, struct place at, const char *text)
{
	for (uint32_t i = 0; i < d->entries.n; i++) {
		const struct diag_entry *e = d->entries.at[i];

		if (e->at.file == at.file && e->at.line == at.line &&
		    e->at.col == at.col && strcmp(e->text, text) == 0)
			return true;
	}
	return false;
}

static void
diag_put(
    struct diag *d, enum diag_level level, struct place at, const char *text)
{
	struct diag_entry *e;

	if (d->entries.n < DIAG_MAX && diag_has(d, at, text))
		return;
	d->count[level]++;
	if (d->entries.n >= DIAG_MAX)
		return;
	e = calloc(1, sizeof(*e));
	REQUIRE(e != NULL);
	e->level = level;
	e->at = at;
	e->no = d->entries.n;
	e->text = copy_text(text, strlen(text));
	vec_push(&d->entries, e);
}

void
diag_add(struct diag *d, enum diag_level level, struct place at,
    const char *fmt, ...)
{
	char text[DIAG_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_put(d, level, at, text);
}

uint32_t
diag_count(const struct diag *d, enum diag_level level)
{
	return d->count[level];
}

void
diag_where(const struct diag *d, struct place at, char *out, size_t cap)
{
	if (at.line == 0)
		(void)snprintf(out, cap, "%s", "-");
	else
		(void)snprintf(
		    out, cap, "%s:%u", diag_file_path(d, at.file), at.line);
}

static int
entry_order(const void *a, const void *b)
{
	const struct diag_entry *x = *(const struct diag_entry *const *)a;
	const struct diag_entry *y = *(const struct diag_entry *const *)b;

	if (x->at.file != y->at.file)
		return x->at.file < y->at.file ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	return x->no < y->no ? -1 : x->no > y->no;
}

/* Line `no` of a source, without its end. */
static bool
source_line(const struct diag *d, struct place at, span *out)
{
	const struct diag_source *s;
	span rest;

	if (at.line == 0 || at.file >= d->sources.n)
		return false;
	s = d->sources.at[at.file];
	rest = span_of(s->text, s->len);
	for (uint32_t i = 0; i < at.line; i++)
		if (!span_cut(&rest, '\n', out))
			return false;
	if (span_ends(*out, SPAN_LIT("\r")))
		out->len--;
	return true;
}

void
text_print(span line, FILE *out)
{
	for (size_t i = 0; i < line.len;) {
		const unsigned char *p = (const unsigned char *)line.p + i;
		size_t n = span_utf8_len(line, i);
		bool is_control = n == 0 || p[0] == 0x7f ||
				  (p[0] < 0x20 && p[0] != '\t') ||
				  span_utf8_steers(span_from(line, i), n) != 0;

		if (is_control)
			(void)fputc('?', out);
		else
			(void)fwrite(p, 1, n, out);
		i += n > 0 ? n : 1;
	}
}

/* Stars in the place of a secret of the line, whose text is a copy. */
static void
hide_secrets(const struct diag *d, struct place at, char *line, size_t len)
{
	for (uint32_t i = 0; i < d->secrets.n; i++) {
		const struct place *s = d->secrets.at[i];
		size_t col = s->col > 0 ? s->col - 1u : 0;

		if (s->file == at.file && s->line == at.line && col < len)
			memset(line + col, '*', size_min(s->len, len - col));
	}
}

/* The source line and a caret under the place; tabs are kept above and below,
 * control bytes are not shown as they are. */
static void
render_source(const struct diag *d, struct place at, FILE *out)
{
	char shown[DIAG_SHOW_MAX];
	span line;
	size_t col = at.col > 0 ? at.col - 1u : 0;
	size_t len;

	if (!source_line(d, at, &line) || at.col == 0 || col >= DIAG_SHOW_MAX)
		return;
	line = span_first(line, DIAG_SHOW_MAX);
	memcpy(shown, line.p, line.len);
	line = span_of(shown, line.len);
	hide_secrets(d, at, shown, line.len);
	(void)fprintf(out, "%5u | ", at.line);
	text_print(line, out);
	(void)fprintf(out, "\n      | ");
	for (size_t i = 0; i < col; i++)
		(void)fputc(
		    i < line.len && line.p[i] == '\t' ? '\t' : ' ', out);
	(void)fputc('^', out);
	len = at.len > 0 ? size_min(at.len - 1u, DIAG_SHOW_MAX - col) : 0;
	for (size_t i = 0; i < len; i++)
		(void)fputc('~', out);
	(void)fputc('\n', out);
}

static void
render_entry(const struct diag *d, const struct diag_entry *e, FILE *out)
{
	if (e->at.line > 0)
		(void)fprintf(out, "%s:%u:%u: ", diag_file_path(d, e->at.file),
		    e->at.line, e->at.col);
	(void)fprintf(out, "%s: %s\n",
	    e->level == DIAG_ERROR ? "error" : "warning", e->text);
	render_source(d, e->at, out);
}

char *
diag_render(const struct diag *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct diag_entry **sorted =
	    calloc(d->entries.n + 1u, sizeof(struct diag_entry *));
	uint32_t all = d->count[0] + d->count[1];

	REQUIRE(out != NULL && sorted != NULL);
	for (uint32_t i = 0; i < d->entries.n; i++)
		sorted[i] = d->entries.at[i];
	qsort(sorted, d->entries.n, sizeof(struct diag_entry *), entry_order);
	for (uint32_t i = 0; i < d->entries.n; i++)
		render_entry(d, sorted[i], out);
	if (all > d->entries.n)
		(void)fprintf(
		    out, "(%u more are not shown)\n", all - d->entries.n);
	free(sorted);
	REQUIRE(fclose(out) == 0);
	return text;
}

static void
wire_text(FILE *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		(void)fputc(*p == '\n' ? ' ' : *p, out);
	(void)fputc('\n', out);
}

static bool
diag_names(const struct diag *d, uint32_t file)
{
	for (uint32_t i = 0; i < d->entries.n; i++) {
		const struct diag_entry *e = d->entries.at[i];

		if (e->at.file == file && e->at.line > 0)
			return true;
	}
	return false;
}

/* The wire form: one line for each file that is named, "+file path", and one
 * for each entry, "level file line col len text". Both processes have the same
 * files under the same indexes, as far as both know them. */
char *
diag_serialize(const struct diag *d, size_t *len_out)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len_out);

	REQUIRE(out != NULL);
	for (uint32_t i = 0; i < d->sources.n; i++) {
		if (!diag_names(d, i))
			continue;
		(void)fprintf(out, "+%u ", i);
		wire_text(out, diag_file_path(d, (uint16_t)i));
	}
	for (uint32_t i = 0; i < d->entries.n; i++) {
		const struct diag_entry *e = d->entries.at[i];

		(void)fprintf(out, "%d %u %u %u %u ", (int)e->level, e->at.file,
		    e->at.line, e->at.col, e->at.len);
		wire_text(out, e->text);
	}
	REQUIRE(fclose(out) == 0);
	return text;
}

static bool
take_number(span *rest, uint64_t max, uint64_t *out)
{
	span word;

	return span_cut(rest, ' ', &word) && span_u64(word, max, out);
}

/* Files that another process knows by another index, or alone. */
struct wire_files {
	uint16_t theirs[DIAG_MAX];
	uint16_t ours[DIAG_MAX];
	uint32_t n;
};

static bool
take_file(struct diag *d, struct wire_files *w, span line)
{
	uint64_t file;
	char *path;

	if (!take_number(&line, UINT16_MAX, &file) || line.p == NULL)
		return false;
	if (file < d->sources.n &&
	    span_eq(line, span_str(diag_file_path(d, (uint16_t)file))))
		return true;
	if (w->n == DIAG_MAX || d->sources.n >= SOURCES_MAX)
		return false;
	path = copy_text(line.p, line.len);
	w->theirs[w->n] = (uint16_t)file;
	w->ours[w->n++] = diag_file(d, path, span_of(NULL, 0));
	free(path);
	return true;
}

static uint16_t
file_here(const struct wire_files *w, uint16_t file)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->theirs[i] == file)
			return w->ours[i];
	return file;
}

static bool
take_entry(struct diag *d, const struct wire_files *w, span line)
{
	uint64_t level, file, no, col, width;
	char *text;

	if (!take_number(&line, 1, &level) ||
	    !take_number(&line, UINT16_MAX, &file) ||
	    !take_number(&line, UINT32_MAX, &no) ||
	    !take_number(&line, UINT16_MAX, &col) ||
	    !take_number(&line, UINT16_MAX, &width) || line.p == NULL)
		return false;
	text = copy_text(line.p, line.len);
	diag_put(d, (enum diag_level)level,
	    (struct place){file_here(w, (uint16_t)file), (uint16_t)col,
		(uint16_t)width, (uint32_t)no},
	    text);
	free(text);
	return true;
}

bool
diag_merge(struct diag *d, const char *wire, size_t len)
{
	struct wire_files files = {.n = 0};
	span rest = span_of(wire, len);
	span line;

	while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
		bool ok = span_starts(line, SPAN_LIT("+"))
			      ? take_file(d, &files, span_from(line, 1))
			      : take_entry(d, &files, line);

		if (!ok)
			return false;
	}
	return true;
}

/* Edit distance with swaps of neighbours, both words at most SUGGEST_MAX. */
static unsigned
distance(span a, const char *b, size_t b_len)
{
	unsigned row[3][SUGGEST_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *now = row[i % 3];
		unsigned *last = row[(i + 2) % 3];
		unsigned *older = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same =
			    ascii_lower(a.p[i - 1]) == ascii_lower(b[j - 1]);
			unsigned best = last[j - 1] + !same;

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b[j - 2] &&
			    a.p[i - 2] == b[j - 1] && older[j - 2] + 1 < best)
				best = older[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a.len % 3][b_len];
}

const char *
diag_suggest(span word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	/* a third of the word may be wrong */
	unsigned best_distance = (unsigned)(word.len + 2) / 3 + 1;

	if (word.len == 0 || word.len > SUGGEST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(candidates[i]);
		unsigned is_at;

		if (len == 0 || len > SUGGEST_MAX ||
		    len + best_distance <= word.len ||
		    word.len + best_distance <= len)
			continue;
		is_at = distance(word, candidates[i], len);
		if (is_at < best_distance && is_at < len) {
			best = candidates[i];
			best_distance = is_at;
		}
	}
	return best;
}
