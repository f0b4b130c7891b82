/* master/command_exec: which command a number names, whether it can be run, and
 * what it is told. */
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/service_name.h"
#include "common/conf/conf_health.h"
#include "common/http/uri.h"
#include "common/http/peer_addr.h"
#include "master/commands.h"
#include "master/program.h"

/* --- what is run ---------------------------------------------------------- */

static bool
command_read(const struct conf_scope *s, struct server_command *out)
{
	struct conf_check check;

	out->line = conf_check_line(s);
	if (out->line == NULL || out->line->is_none)
		return false;
	conf_check_words(out->line->words, out->line->n_words, &check, NULL);
	out->n_args = check.n_args;
	out->timeout_ms = check.timeout_ms;
	return check.kind == CHECK_COMMAND;
}

bool
command_find(
    const struct conf_tree *t, uint32_t number, struct server_command *out)
{
	for (const struct conf_section *sec = conf_first(t, CONF_UPSTREAM);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);
		struct conf_iter it = {0};
		const struct conf_value *v;

		while ((v = conf_next(&s, KEY_UPSTREAM_SERVER, &it)) != NULL) {
			if (v->n_words == 0 || number-- != 0)
				continue;
			out->conf = t;
			out->upstream = sec->name;
			out->server = v->words[0].text;
			return command_read(&s, out);
		}
	}
	return false;
}

/* --- whether it can be ---------------------------------------------------- */

void
commands_check(const struct conf_tree *t, struct diag *d)
{
	for (const struct conf_section *sec = conf_first(t, CONF_UPSTREAM);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(t, sec);
		struct server_command c;

		if (command_read(&s, &c))
			program_check(&c.line->words[1], "health_check", d);
	}
}

/* --- becoming it ---------------------------------------------------------- */

static void
command_env(const struct server_command *c, char **env)
{
	struct peer_addr at;
	char digits[sizeof("65535")] = "";
	span host;
	uint16_t port;

	(void)peer_addr_parse(c->server, &at);
	host = at.authority;
	if (!span_starts(host, SPAN_LIT("unix:")))
		(void)uri_parse_authority(at.authority, &host, &port);
	/* the port of a service is told by its name server */
	if (at.port != 0 && !service_name_is(host))
		(void)snprintf(digits, sizeof(digits), "%u", at.port);
	*env++ = program_env("GH_UPSTREAM", c->upstream);
	*env++ = program_env("GH_SERVER", c->server);
	*env++ = program_env("GH_HOST", host);
	*env++ = program_env("GH_PORT", span_str(digits));
	*env = NULL;
}

_Noreturn void
command_exec(const struct server_command *c, pid_t master)
{
	char *args[CHECK_ARGS_MAX + 1];
	char *env[5];

	program_args(&c->line->words[1], c->n_args, args);
	command_env(c, env);
	program_become(&(struct program){.conf = c->conf,
			   .args = args,
			   .env = env,
			   .talk_fd = -1,
			   .cpu_s = c->timeout_ms / 1000 + 1},
	    master);
}
