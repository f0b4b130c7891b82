/* master/admin_listen: the administration's sockets. Bound with the other
 * sockets of a reading of the configuration, in effect when that one serves,
 * and until another one does: they are of no generation, so that a drained or
 * quitting gatehouse can still be asked. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/base/log.h"
#include "master/admin.h"

#define ADMIN_BACKLOG 511
#define ADMIN_MODE 0600
#define ADMIN_GROUP_MODE 0660
#define NAME_CAP 64
#define TOKEN_MIN 16u

static struct conf_scope
admin_scope(const struct conf_tree *t)
{
	return conf_scope_of(t, conf_first(t, CONF_ADMIN));
}

static bool
admin_find_group(span group, gid_t *gid)
{
	const struct group *gr;
	char name[NAME_CAP];

	if (group.len >= sizeof(name))
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(group));
	gr = getgrnam(name);
	if (gr == NULL)
		return false;
	*gid = gr->gr_gid;
	return true;
}

/* RFC 1122 3.2.1.3, RFC 4291 2.5.3; [::] stands for all addresses. */
static bool
ip_is_loopback(const struct ip *ip)
{
	static const struct ip v6 = {{[15] = 1}};
	struct ip_prefix v4;

	REQUIRE(ip_prefix_parse(SPAN_LIT("127.0.0.0/8"), &v4));
	return ip_eq(ip, &v6) || ip_prefix_has(&v4, ip);
}

/* What is to be known of one address over TCP. */
static void
admin_check_word(
    const struct conf_scope *s, const struct conf_word *w, struct diag *d)
{
	bool has_token = conf_get(s, KEY_ADMIN_TOKEN) != NULL;
	struct sock_addr addr;
	struct ip ip;
	uint16_t port;

	if (!sock_addr_parse(w->text, &addr) ||
	    !sock_addr_ip(&addr, &ip, &port))
		return;
	if (has_token && !ip_is_loopback(&ip))
		/* who listens on the way can use what they read */
		diag_warning(d, w->at,
		    "the token is readable on its way to %.*s: listen on "
		    "127.0.0.1, or behind TLS",
		    SPAN_FMT(w->text));
	if (!has_token && (conf_bool(s, KEY_ADMIN_DASHBOARD) ||
			      conf_num(s, KEY_ADMIN_METRICS) == 0))
		diag_warning(d, w->at,
		    "without a token %.*s gives nothing but metrics, nor has "
		    "the dashboard a number: token = file:PATH",
		    SPAN_FMT(w->text));
}

static void
admin_check_listen(const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v;
	struct conf_iter it = {0};

	while ((v = conf_next(s, KEY_ADMIN_LISTEN, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			admin_check_word(s, &v->words[i], d);
}

void
admin_check(const struct conf_tree *t, struct diag *d)
{
	struct conf_scope s = admin_scope(t);
	const struct conf_value *v = conf_get(&s, KEY_ADMIN_GROUP);
	gid_t gid;

	if (v != NULL && !admin_find_group(v->text, &gid))
		diag_error(d, v->at, "group = %.*s: there is no such group",
		    SPAN_FMT(v->text));
	v = conf_get(&s, KEY_ADMIN_TOKEN);
	if (v != NULL &&
	    (v->text.len < TOKEN_MIN || span_chr(v->text, ' ') >= 0))
		diag_error(d, v->at,
		    "a token has %u characters at least, none of them a blank",
		    TOKEN_MIN);
	if (conf_first(t, CONF_ADMIN) != NULL)
		admin_check_listen(&s, d);
}

static void
admin_add(struct gen *g, const struct conf_word *w)
{
	struct admin_set *a = &g->admin;
	struct lsock *s;
	/* nobody's until it serves: admin_use() opens it */
	mode_t old = umask(0177);

	s = lsock_get(g, w->text, w->at, ADMIN_BACKLOG, true);
	(void)umask(old);
	if (s == NULL)
		return;
	s->refs++;
	a->at = reallocarray(a->at, a->n + 1, sizeof(struct lsock *));
	REQUIRE(a->at != NULL);
	a->at[a->n++] = s;
}

void
admin_open(struct gen *g)
{
	struct conf_scope s = admin_scope(g->conf);
	const struct conf_value *group = conf_get(&s, KEY_ADMIN_GROUP);
	const struct conf_value *v;
	struct conf_iter it = {0};

	if (conf_first(g->conf, CONF_ADMIN) == NULL)
		return;
	g->admin.has_group =
	    group != NULL && admin_find_group(group->text, &g->admin.gid);
	while ((v = conf_next(&s, KEY_ADMIN_LISTEN, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			admin_add(g, &v->words[i]);
}

static void
admin_drop_sockets(struct master *m, struct admin_set *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		lsock_unref(m, a->at[i]);
	free(a->at);
	a->at = NULL;
	a->n = 0;
}

void
admin_close(struct master *m, struct admin_set *a)
{
	admin_drop_sockets(m, a);
	free(a->facts);
	*a = (struct admin_set){0};
}

/* Let those connect who may. */
static void
admin_permit(const struct admin_set *a, const struct lsock *s)
{
	const char *path = s->addr.u.un.sun_path;
	gid_t gid = a->has_group ? a->gid : getegid();

	if (s->addr.u.sa.sa_family != AF_UNIX)
		return;
	if (lchown(path, (uid_t)-1, gid) < 0 ||
	    chmod(path, a->has_group ? ADMIN_GROUP_MODE : ADMIN_MODE) < 0)
		log_msg(LOG_ERROR,
		    "admin socket not permitted path=\"%s\" error=\"%s\"", path,
		    strerror(errno));
}

void
admin_use(struct gen *g)
{
	struct master *m = g->master;
	struct admin_set old = m->admin;

	m->admin = g->admin;
	g->admin = (struct admin_set){0};
	m->admin.facts = tell_render_conf(g);
	for (uint32_t i = 0; i < m->admin.n; i++)
		admin_permit(&m->admin, m->admin.at[i]);
	tell_conf(m);
	/* the steward closes its twins when it hears of the new ones */
	admin_close(m, &old);
}

void
admin_hand_over(struct master *m)
{
	admin_drop_sockets(m, &m->admin);
	tell_conf(m);
}
