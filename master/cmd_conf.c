/* master/cmd_conf: -t and -T. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/admin.h"
#include "master/cmd.h"
#include "master/commands.h"
#include "master/helpers.h"
#include "master/priv.h"
#include "master/report.h"

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

/* A file that a start would open for writing: is it, or could it be made? It is
 * not made by looking. No error, since who looks may be another user on another
 * machine than who starts. */
static void
check_file(const struct conf_value *v, struct diag *d)
{
	char path[PATH_MAX];
	char *slash;
	int rc;

	if (v == NULL || v->text.len == 0 || v->text.len >= sizeof(path) ||
	    v->text.p[0] != '/')
		return;
	memcpy(path, v->text.p, v->text.len);
	path[v->text.len] = '\0';
	rc = access(path, W_OK);
	if (rc < 0 && errno == ENOENT) {
		slash = strrchr(path, '/');
		/* of the root folder its slash is the name */
		slash[slash == path] = '\0';
		rc = access(path, W_OK | X_OK);
	}
	if (rc < 0)
		diag_warning(d, v->at, "%.*s could not be written here: %s",
		    SPAN_FMT(v->text), strerror(errno));
}

/* A file that a start would put in the place of another one: could it make
 * one beside it? */
static void
check_folder(const struct conf_value *v, struct diag *d)
{
	char path[PATH_MAX];
	char *slash;

	if (v == NULL || v->text.len == 0 || v->text.len >= sizeof(path) ||
	    v->text.p[0] != '/')
		return;
	memcpy(path, v->text.p, v->text.len);
	path[v->text.len] = '\0';
	slash = strrchr(path, '/');
	/* of the root folder its slash is the name */
	slash[slash == path] = '\0';
	if (access(path, W_OK | X_OK) < 0)
		diag_warning(d, v->at, "%.*s could not be written here: %s",
		    SPAN_FMT(v->text), strerror(errno));
}

static void
check_files(const struct cmd_boot *c)
{
	struct conf_scope s =
	    conf_scope_of(c->conf, conf_first(c->conf, CONF_GLOBAL));

	check_file(conf_get(&s, KEY_GLOBAL_PID_FILE), c->diag);
	check_file(conf_get(&s, KEY_GLOBAL_ERROR_LOG), c->diag);
	for (const struct conf_section *sec = conf_first(c->conf, CONF_LOG);
	     sec != NULL; sec = sec->next) {
		s = conf_scope_of(c->conf, sec);
		check_file(conf_get(&s, KEY_LOG_PATH), c->diag);
	}
	for (const struct conf_section *sec = conf_first(c->conf, CONF_CACHE);
	     sec != NULL; sec = sec->next) {
		s = conf_scope_of(c->conf, sec);
		check_folder(conf_get(&s, KEY_CACHE_FILE), c->diag);
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
