/* master/cmd_signal: -s WORD, for the master that the pid file names. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "master/cmd.h"
#include "master/pidfile.h"
#include "master/report.h"

static const struct {
	const char *word;
	int sig;
} words[] = {
    {"reload", SIGHUP},
    {"reopen", SIGUSR1},
    {"upgrade", SIGUSR2},
    {"quit", SIGQUIT},
    {"stop", SIGTERM},
    {"drain", SIGWINCH},
};

static int
signal_of(const char *word)
{
	for (size_t i = 0; i < NELEMS(words); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].sig;
	return 0;
}

/* The configuration is read for its pid_file only: it may be broken otherwise,
 * and the signal still be wanted. */
static char *
pid_file_of(const struct conf_source *src)
{
	struct diag *d = diag_new();
	struct conf_tree *t = conf_source_load(src, d);
	struct conf_scope global;
	char *path = NULL;
	span text;

	if (diag_count(d, DIAG_ERROR) > 0)
		report_diag(d);
	diag_free(d);
	global = conf_scope_of(t, conf_first(t, CONF_GLOBAL));
	text = conf_text(&global, KEY_GLOBAL_PID_FILE);
	if (text.len == 0)
		(void)fprintf(stderr,
		    "gatehouse: %s names no pid_file in [global]\n", src->path);
	else
		path = strndup(text.p, text.len);
	conf_free(t);
	return path;
}

int
cmd_signal(const struct conf_source *src, const char *word)
{
	int sig = signal_of(word);
	char *path;
	pid_t pid;

	if (sig == 0) {
		(void)fprintf(stderr,
		    "gatehouse: -s %s: not one of reload reopen upgrade quit "
		    "stop drain\n",
		    word);
		return EXIT_USAGE;
	}
	path = pid_file_of(src);
	if (path == NULL)
		return EXIT_FAILURE;
	pid = pidfile_read(path);
	free(path);
	if (pid < 0)
		return EXIT_FAILURE;
	if (kill(pid, sig) == 0)
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "gatehouse: cannot signal pid %d: %s\n", (int)pid,
	    strerror(errno));
	return EXIT_FAILURE;
}
