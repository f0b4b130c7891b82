/* master/cmd_conf: -t and -T. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/num.h"
#include "master/admin.h"
#include "master/cmd.h"
#include "master/commands.h"
#include "master/helpers.h"
#include "master/priv.h"
#include "master/report.h"

#define UNIX "unix:"

/* What would be shared, in memory that nobody else sees. */
static void
prepare_shared(struct cmd_boot *c)
{
	c->segment = segment_new(tenants_budget(c->conf, 0));
	if (c->segment == NULL || !tenants_open(&c->tenants, c->segment)) {
		diag_error(c->diag, (struct place){0},
		    "cannot make the shared memory: %s", strerror(errno));
		return;
	}
	c->claims = claims_new(&c->tenants, c->conf, true, c->diag);
	c->boot.segment = c->segment;
	tenants_lend(&c->tenants, &c->boot);
	c->boot.claims = c->claims;
}

bool
cmd_prepare(struct cmd_boot *c, const struct conf_source *src)
{
	struct conf_scope global;

	memset(c, 0, sizeof(*c));
	c->diag = diag_new();
	c->conf = conf_source_load(src, c->diag);
	global = conf_scope_of(c->conf, conf_first(c->conf, CONF_GLOBAL));
	priv_check(&global, c->diag);
	admin_check(c->conf, c->diag);
	cachefiles_check(c->conf, c->diag);
	quotafile_check(c->conf, c->diag);
	commands_check(c->conf, c->diag);
	helpers_check(c->conf, c->diag);
	if (diag_count(c->diag, DIAG_ERROR) == 0)
		prepare_shared(c);
	c->boot.conf = c->conf;
	c->boot.prepared = worker_prepare(&c->boot, c->diag);
	return c->boot.prepared != NULL;
}

void
cmd_release(struct cmd_boot *c)
{
	worker_prepare_free(c->boot.prepared);
	if (c->claims != NULL) {
		claims_free(&c->tenants, c->claims);
		tenants_close(&c->tenants);
	}
	segment_free(c->segment);
	conf_free(c->conf);
	diag_free(c->diag);
}

bool
conf_is_valid(const struct conf_source *src)
{
	struct cmd_boot c;
	bool is_valid = cmd_prepare(&c, src);

	report_diag(c.diag);
	cmd_release(&c);
	return is_valid;
}

/* What a start would make or write could not be. No error, since who looks may
 * be another user on another machine than who starts. */
static void
warn_of_file(span file, struct place at, struct diag *d)
{
	diag_warning(d, at, "%.*s could not be written here: %s",
	    SPAN_FMT(file), strerror(errno));
}

/* Room for an absolute path. false: it is none. */
static bool
file_path(span file, char path[PATH_MAX])
{
	if (file.len == 0 || file.len >= PATH_MAX || file.p[0] != '/')
		return false;
	memcpy(path, file.p, file.len);
	path[file.len] = '\0';
	return true;
}

/* Whether something could be made where the path leads, which is cut. */
static int
access_folder(char *path)
{
	char *slash = strrchr(path, '/');

	/* of the root folder its slash is the name */
	slash[slash == path] = '\0';
	return access(path, W_OK | X_OK);
}

/* A file that a start would open for writing: is it, or could it be made? It is
 * not made by looking. */
static void
check_file(const struct conf_scope *s, enum conf_key key, struct diag *d)
{
	const struct conf_value *v = conf_get(s, key);
	char path[PATH_MAX];
	int rc;

	if (v == NULL || !file_path(v->text, path))
		return;
	rc = access(path, W_OK);
	if (rc < 0 && errno == ENOENT)
		rc = access_folder(path);
	if (rc < 0)
		warn_of_file(v->text, v->at, d);
}

/* A file that a start would put in the place of another one: could it make
 * one beside it? */
static void
check_folder(const struct conf_scope *s, enum conf_key key, struct diag *d)
{
	const struct conf_value *v = conf_get(s, key);
	char path[PATH_MAX];

	if (v != NULL && file_path(v->text, path) && access_folder(path) < 0)
		warn_of_file(v->text, v->at, d);
}

/* The unix sockets of a list, likewise. */
static void
check_sockets(const struct conf_scope *s, enum conf_key key, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	char path[PATH_MAX];

	while ((v = conf_next(s, key, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++) {
			span word = v->words[i].text;

			if (span_starts(word, SPAN_LIT(UNIX)) &&
			    file_path(
				span_from(word, sizeof(UNIX) - 1), path) &&
			    access_folder(path) < 0)
				warn_of_file(word, v->words[i].at, d);
		}
}

static void
check_files(const struct cmd_boot *c)
{
	static const struct {
		enum conf_type type;
		enum conf_key key;
		void (*look)(const struct conf_scope *s, enum conf_key k,
		    struct diag *d);
	} files[] = {
	    {CONF_GLOBAL, KEY_GLOBAL_PID_FILE, check_file},
	    {CONF_GLOBAL, KEY_GLOBAL_ERROR_LOG, check_file},
	    {CONF_GLOBAL, KEY_GLOBAL_QUOTA_FILE, check_folder},
	    {CONF_LISTEN, KEY_LISTEN_ADDRESS, check_sockets},
	    {CONF_LOG, KEY_LOG_PATH, check_file},
	    {CONF_CACHE, KEY_CACHE_FILE, check_folder},
	    {CONF_WAF, KEY_WAF_AUDIT_LOG, check_file},
	    {CONF_ADMIN, KEY_ADMIN_LISTEN, check_sockets},
	};

	for (size_t i = 0; i < NELEMS(files); i++)
		for (const struct conf_section *sec =
			 conf_first(c->conf, files[i].type);
		     sec != NULL; sec = sec->next) {
			struct conf_scope s = conf_scope_of(c->conf, sec);

			files[i].look(&s, files[i].key, c->diag);
		}
}

int
cmd_test(const struct conf_source *src)
{
	struct cmd_boot c;
	bool is_valid = cmd_prepare(&c, src);

	check_files(&c);
	report_diag(c.diag);
	cmd_release(&c);
	if (!is_valid)
		return EXIT_FAILURE;
	(void)printf("%s: configuration is valid\n", src->path);
	return report_flush();
}

int
cmd_dump(const struct conf_source *src)
{
	struct cmd_boot c;
	bool is_valid = cmd_prepare(&c, src);

	report_diag(c.diag);
	if (is_valid)
		conf_dump(c.conf, stdout);
	cmd_release(&c);
	return is_valid ? report_flush() : EXIT_FAILURE;
}
