/* files/files_prepare: `root` and `index`, made ready: the folder is opened
 * while paths can still be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/vec.h"
#include "worker/exch/textfile.h"
#include "worker/files/files.h"
#include "worker/files/files_int.h"

const void *
files_prepare(const struct conf_value *v, struct map *roots, struct arena *a,
    struct diag *d)
{
	char path[TEXTFILE_PATH_MAX];
	struct files_root *root;
	int fd = -1;

	errno = ENAMETOOLONG;
	if (textfile_path(v->text, v->at, d, path)) {
		root = map_get(roots, span_str(path));
		if (root != NULL)
			return root;
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		diag_error(d, v->at, "root: cannot open the folder %.*s: %s",
		    SPAN_FMT(v->text), strerror(errno));
		return NULL;
	}
	root = arena_alloc(a, sizeof(*root));
	root->fd = fd;
	(void)map_put(roots, arena_span(a, span_str(path)), root);
	return root;
}

/* The nearest line, `none` included; NULL: there is no line. */
static const struct conf_value *
prepare_index_line(const struct conf_scope *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i]->first[KEY_SCOPE_INDEX] != NULL)
			return s->at[i]->first[KEY_SCOPE_INDEX];
	return NULL;
}

/* Names alone: a folder's file is in it. Unlike lists that add, an order holds
 * as a whole: that of the nearest section. */
void
files_prepare_index(const struct conf_scope *s, struct arena *a,
    struct plan_index *out, struct diag *d)
{
	const struct conf_value *first = prepare_index_line(s);
	struct vec found;
	span *names;

	vec_init(&found);
	for (const struct conf_value *v = first; v != NULL; v = v->next) {
		for (uint32_t i = 0; i < v->n_words && !v->is_none; i++) {
			span name = v->words[i].text;

			if (span_chr(name, '/') >= 0 || name.p[0] == '.' ||
			    name.len > FILES_NAME_MAX / 2)
				diag_error(d, v->words[i].at,
				    "index: '%.*s' is no name of a file that "
				    "is shown",
				    SPAN_FMT(name));
			else
				vec_push(&found,
				    (void *)(uintptr_t)&v->words[i].text);
		}
	}
	names = arena_alloc(a, (found.n + 1) * sizeof(*names));
	for (uint32_t i = 0; i < found.n; i++)
		names[i] = *(const span *)found.at[i];
	*out = (struct plan_index){names, found.n};
	vec_fini(&found);
	if (first != NULL)
		return;
	names[0] = SPAN_LIT("index.html");
	out->n = 1;
}

const int *
files_roots(const struct map *roots, struct arena *a, uint32_t *n)
{
	int *fd = arena_alloc(a, (roots->n + 1) * sizeof(*fd));

	*n = 0;
	map_foreach (s, roots) {
		const struct files_root *root = s->value;

		fd[(*n)++] = root->fd;
	}
	return fd;
}

void
files_fini_roots(struct map *roots)
{
	map_foreach (s, roots) {
		const struct files_root *root = s->value;

		(void)close(root->fd);
	}
	map_fini(roots);
}
