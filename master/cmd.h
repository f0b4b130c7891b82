/* master/cmd: the words of the command line. Each returns the exit status. */
#ifndef GH_CMD_H
#define GH_CMD_H

#include "master/master.h"

#define EXIT_USAGE 2
/* Of `diff`: some requests would be answered otherwise. */
#define EXIT_DIFFERS 3

/* A configuration read and prepared as a start would do it, without sockets and
 * logs, with shared memory of its own. */
struct cmd_boot {
	struct diag *diag; /* what is wrong with it, and its sources */
	struct conf_tree *conf; /* never NULL */
	struct segment *segment;
	struct tenants tenants;
	struct claims *claims;
	struct boot boot;
};

/* Also goes on after an error, so that one run tells all of them. Whether it is
 * valid; cmd_release() either way. */
bool cmd_prepare(struct cmd_boot *c, const struct conf_source *src);
void cmd_release(struct cmd_boot *c);

/* -t: every problem of the configuration, or that it is valid. */
int cmd_test(const struct conf_source *src);
/* Whether it is; what is wrong goes to standard error. */
bool conf_is_valid(const struct conf_source *src);
/* -T: the effective configuration. */
int cmd_dump(const struct conf_source *src);
/* -V */
int cmd_version(void);
/* -s WORD */
int cmd_signal(const struct conf_source *src, const char *word);
/* status [--json] [-c FILE] */
int cmd_status(const struct conf_source *src, int argc, char **argv);
/* top [--once [--json]] [-c FILE] */
int cmd_top(const struct conf_source *src, int argc, char **argv);
/* purge URL | --tag TAG ... | --all [--soft] [--cache NAME] [-c FILE] */
int cmd_purge(const struct conf_source *src, int argc, char **argv);
/* ban list|add IP TIME|remove IP [-c FILE] */
int cmd_ban(const struct conf_source *src, int argc, char **argv);
/* why ID | --last N [--refused] [--json] [-c FILE] */
int cmd_why(const struct conf_source *src, int argc, char **argv);
/* server UPSTREAM SERVER drain|down|up|auto [-c FILE] */
int cmd_server(const struct conf_source *src, int argc, char **argv);
/* maintenance on|off|auto SITE [-c FILE] */
int cmd_maintenance(const struct conf_source *src, int argc, char **argv);
struct command;
/* Have the worker's code answer from a prepared configuration. Its exit status. */
int cmd_ask_worker(struct command *c, const struct conf_source *src);
/* explain METHOD URL [flags] */
int cmd_explain(const struct conf_source *src, int argc, char **argv);
/* diff OLD NEW --log FILE [--json] */
int cmd_diff(int argc, char **argv);
/* categories build OUT [NAME:]LIST ... */
int cmd_categories(int argc, char **argv);
/* waf test --request RAW [flags] | suggest --log AUDIT [--all] */
int cmd_waf(const struct conf_source *src, int argc, char **argv);
/* reverse --from ADDRESS --to ADDRESS ... [--print] */
int cmd_reverse(int argc, char **argv);
/* forward --listen ADDRESS [--allow NETWORK ...] [--print] */
int cmd_forward(int argc, char **argv);

#endif
