/* prepare_tls: the certificates of listens and sites, and what we are to the
 * servers of upstreams, read once before fork.
 * Which of them a client gets follows the table of hosts: the site that would
 * answer for a name is the one whose certificate shows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/store/ticket_keys.h"
#include "common/tls/tls_client.h"
#include "worker/acl/acl.h"
#include "worker/prepare.h"
#include "worker/route/route.h"
#include "worker/up/up.h"

/* Certificates of one scope. */
#define CERTIFICATES_MAX 16u
/* A password's file holds one line. */
#define PASSWORD_CAP 1024u

/* How long before its end a certificate is spoken of: 14 days. */
#define CERTIFICATE_WARN_S (14 * 86400)

#define PASSWORD SPAN_LIT("password=file:")
/* One that stands there itself was taken for a file. */
#define PASSWORD_BARE SPAN_LIT("/password=")
#define OCSP SPAN_LIT("ocsp=file:")

/* One `certificate_key` word and the password behind it. */
struct tls_key_conf {
	span file;
	span password_file; /* empty: none */
	struct place at;
};

/* One `certificate` word and the OCSP answer behind it. */
struct tls_chain_conf {
	span file;
	struct place at;
	span ocsp_file; /* empty: none */
	struct place ocsp_at;
};

/* What a scope says of TLS. */
struct tls_scope {
	struct tls_chain_conf chains[CERTIFICATES_MAX];
	struct tls_key_conf keys[CERTIFICATES_MAX];
	uint32_t n_chains;
	uint32_t n_keys;
	enum tls_verify verify;
	const struct conf_value *ca;
	const struct conf_value *crl;
};

static const char *
tls_text(struct arena *a, span s)
{
	return arena_span(a, s).p;
}

/* NULL: there is none, or d holds what is wrong with it. */
static const char *
prepare_ciphers(struct prepared *p, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_TLS_CIPHERS);
	struct tls_problem why;
	const char *list;

	if (v == NULL || v->text.len == 0)
		return NULL;
	list = tls_text(&p->arena, v->text);
	if (tls_ciphers_check(list, &why))
		return list;
	diag_error(d, v->at, "%s", why.text);
	return NULL;
}

void
prepare_tls_policy(struct prepared *p, struct diag *d)
{
	struct tls_policy *out = &p->tls;
	struct conf_scope s =
	    conf_scope_of(p->plan.conf, conf_first(p->plan.conf, CONF_TLS));

	out->is_1_3_only =
	    span_eq(conf_text(&s, KEY_TLS_MIN_VERSION), SPAN_LIT("1.3"));
	out->ciphers = prepare_ciphers(p, &s, d);
	out->has_tickets = conf_bool(&s, KEY_TLS_SESSION_TICKETS);
	out->n_tickets = (uint32_t)conf_num(&s, KEY_TLS_TICKET_COUNT);
	out->has_early_data = conf_bool(&s, KEY_TLS_EARLY_DATA);
	out->ticket_life_s = TICKET_LIFE_MS / 1000;
}

/* --- what a scope says ---------------------------------------------------- */

static void
scope_ocsp(struct tls_scope *t, const struct conf_word *w, struct diag *d)
{
	struct tls_chain_conf *c;

	if (t->n_chains == 0) {
		diag_error(
		    d, w->at, "an OCSP response stands behind its certificate");
		return;
	}
	c = &t->chains[t->n_chains - 1];
	if (c->ocsp_file.len > 0) {
		diag_error(d, w->at, "this certificate has one already");
		return;
	}
	c->ocsp_file = span_from(w->text, OCSP.len);
	c->ocsp_at = w->at;
}

static void
scope_chain(struct tls_scope *t, const struct conf_word *w, struct diag *d)
{
	if (span_starts(w->text, OCSP))
		scope_ocsp(t, w, d);
	else if (t->n_chains == CERTIFICATES_MAX)
		diag_error(
		    d, w->at, "more than %u certificates", CERTIFICATES_MAX);
	else
		t->chains[t->n_chains++] =
		    (struct tls_chain_conf){.file = w->text, .at = w->at};
}

static void
scope_chains(struct tls_scope *t, const struct conf_scope *s, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	while ((v = conf_next(s, KEY_SITE_CERTIFICATE, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			scope_chain(t, &v->words[i], d);
}

static void
scope_key(struct tls_scope *t, const struct conf_word *w, struct diag *d)
{
	if (span_starts(w->text, PASSWORD)) {
		if (t->n_keys == 0)
			diag_error(d, w->at,
			    "a password stands behind the key that it opens");
		else
			t->keys[t->n_keys - 1].password_file =
			    span_from(w->text, PASSWORD.len);
	} else if (span_find(w->text, PASSWORD_BARE) >= 0) {
		diag_error(d, w->at,
		    "a password stands in a file: password=file:PATH");
	} else if (t->n_keys == CERTIFICATES_MAX) {
		diag_error(d, w->at, "more than %u keys", CERTIFICATES_MAX);
	} else {
		t->keys[t->n_keys++] =
		    (struct tls_key_conf){.file = w->text, .at = w->at};
	}
}

static void
scope_keys(struct tls_scope *t, const struct conf_scope *s, struct diag *d)
{
	uint32_t before = diag_count(d, DIAG_ERROR);
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct place at = {0};

	while ((v = conf_next(s, KEY_SITE_CERTIFICATE_KEY, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++) {
			at = v->words[i].at;
			scope_key(t, &v->words[i], d);
		}
	if (diag_count(d, DIAG_ERROR) == before && t->n_keys != 0 &&
	    t->n_keys != t->n_chains)
		diag_error(d, at,
		    "%u keys for %u certificates: name one for each, in the "
		    "same order, or none when the files hold both",
		    t->n_keys, t->n_chains);
}

/* Who names authorities, or revoked certificates, wants certificates looked at:
 * nobody's are, unless it says so. What is inherited may be for other sites. */
static void
scope_unused(const struct conf_scope *s, struct diag *d)
{
	static const enum conf_key keys[] = {KEY_SITE_CLIENT_CA, KEY_SITE_CRL};
	struct conf_scope own = *s;

	if (conf_get(s, KEY_SITE_VERIFY) != NULL)
		return;
	own.n = 1;
	for (size_t i = 0; i < NELEMS(keys); i++) {
		const struct conf_value *v = conf_get(&own, keys[i]);

		if (v != NULL)
			diag_warning(d, v->at,
			    "clients are not asked for a certificate without "
			    "verify = optional or require");
	}
}

static bool
scope_read(struct tls_scope *t, const struct conf_scope *s, struct diag *d)
{
	uint32_t before = diag_count(d, DIAG_ERROR);
	const struct conf_value *v = conf_get(s, KEY_SITE_VERIFY);

	memset(t, 0, sizeof(*t));
	scope_chains(t, s, d);
	scope_keys(t, s, d);
	/* the words stand in the order of enum tls_verify */
	t->verify = (enum tls_verify)conf_num(s, KEY_SITE_VERIFY);
	t->ca = conf_get(s, KEY_SITE_CLIENT_CA);
	t->crl = conf_get(s, KEY_SITE_CRL);
	scope_unused(s, d);
	if (t->verify != TLS_VERIFY_OFF && t->ca == NULL)
		diag_error(d, v->at,
		    "verify needs client_ca: whose certificates are accepted?");
	if (t->verify != TLS_VERIFY_OFF && t->n_chains == 0)
		diag_error(d, v->at,
		    "verify needs a certificate here or in [defaults]");
	return diag_count(d, DIAG_ERROR) == before;
}

/* --- from files to contexts ----------------------------------------------- */

/* The one line of a password's file. false: it was noted why not. */
static bool
password_read(const struct tls_key_conf *k, char out[PASSWORD_CAP],
    struct arena *a, struct diag *d)
{
	FILE *f = fopen(tls_text(a, k->password_file), "re");
	size_t n;

	if (f == NULL) {
		diag_error(d, k->at, "cannot open the password's file %.*s",
		    SPAN_FMT(k->password_file));
		return false;
	}
	n = fread(out, 1, PASSWORD_CAP - 1, f);
	(void)fclose(f);
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	out[n] = '\0';
	return true;
}

/* A certificate that has ended is served all the same: clients that do not look
 * may go on, and others say what is wrong. */
static void
prepare_end(
    struct prepared *p, span file, struct place at, time_t ends, struct diag *d)
{
	int64_t left_s = (int64_t)ends - time(NULL);
	char when[DATE_ISO_LEN];

	if (p->certificate_ends == 0 || ends < p->certificate_ends)
		p->certificate_ends = ends;
	if (left_s > CERTIFICATE_WARN_S)
		return;
	date_format_iso((int64_t)ends * 1000000, when);
	if (left_s < 0)
		diag_warning(d, at,
		    "the certificate %.*s has expired at %.*s: renew it",
		    SPAN_FMT(file), DATE_ISO_LEN, when);
	else
		diag_warning(d, at,
		    "the certificate %.*s expires at %.*s: renew it soon",
		    SPAN_FMT(file), DATE_ISO_LEN, when);
}

static void
context_staple(struct prepared *p, struct tls_context *c,
    const struct tls_chain_conf *shown, struct diag *d)
{
	struct conf_scope tls =
	    conf_scope_of(p->plan.conf, conf_first(p->plan.conf, CONF_TLS));
	bool has_file = shown->ocsp_file.len > 0;
	struct staple_conf s = {
	    .chain = shown->file,
	    .file = shown->ocsp_file,
	    .is_fetched = conf_bool(&tls, KEY_TLS_OCSP_STAPLING),
	    .at = has_file ? shown->ocsp_at : shown->at,
	};

	prepare_staple(p, c, &s, d);
}

static void
context_add(struct prepared *p, struct tls_context *c,
    const struct tls_scope *t, uint32_t i, struct diag *d)
{
	struct arena *a = &p->arena;
	const struct tls_chain_conf *shown = &t->chains[i];
	const char *chain = tls_text(a, shown->file);
	const struct tls_key_conf *k = t->n_keys > 0 ? &t->keys[i] : NULL;
	char password[PASSWORD_CAP];
	bool has_password = k != NULL && k->password_file.len > 0;
	struct tls_problem why;

	if (has_password && !password_read(k, password, a, d))
		return;
	if (tls_context_add(c, chain, k != NULL ? tls_text(a, k->file) : chain,
		has_password ? password : NULL, &why)) {
		prepare_end(p, shown->file, shown->at, tls_context_ends(c), d);
		context_staple(p, c, shown, d);
	} else {
		diag_error(
		    d, why.file == chain ? shown->at : k->at, "%s", why.text);
	}
	explicit_bzero(password, sizeof(password));
}

/* The handshakes of all clients with a certificate would fail, in which only
 * the client is told why. */
static void
crl_look(const struct conf_value *v, const char *file, struct diag *d)
{
	time_t ends = tls_crl_ends(file);
	char when[DATE_ISO_LEN];

	if (ends == 0 || ends > time(NULL))
		return;
	date_format_iso((int64_t)ends * 1000000, when);
	diag_warning(d, v->at,
	    "the revocation list %s has ended at %.*s: its authority's clients "
	    "are refused until there is a new one",
	    file, DATE_ISO_LEN, when);
}

static void
context_verify(struct prepared *p, struct tls_context *c,
    const struct tls_scope *t, struct diag *d)
{
	const char *ca = tls_text(&p->arena, t->ca->text);
	const char *crl =
	    t->crl != NULL ? tls_text(&p->arena, t->crl->text) : NULL;
	struct tls_problem why;

	if (!tls_context_verify(c, t->verify, ca, crl, &why))
		diag_error(
		    d, why.file == ca ? t->ca->at : t->crl->at, "%s", why.text);
	else if (crl != NULL)
		crl_look(t->crl, crl, d);
}

/* The context of a scope; NULL when it has no certificate, or d holds why. */
static struct tls_context *
prepare_context(struct prepared *p, const struct conf_scope *s, span scope,
    enum tls_verify *verify, struct diag *d)
{
	struct tls_context *c;
	struct tls_scope t;

	if (!scope_read(&t, s, d) || t.n_chains == 0)
		return NULL;
	*verify = t.verify;
	c = tls_context_new(&p->tls, scope);
	for (uint32_t i = 0; i < t.n_chains; i++)
		context_add(p, c, &t, i, d);
	if (t.verify != TLS_VERIFY_OFF)
		context_verify(p, c, &t, d);
	return c;
}

/* --- listens -------------------------------------------------------------- */

static struct tls_context *
listen_choose(const void *self, span name)
{
	const struct plan_listen *l = self;
	const struct plan_site *site =
	    name.len > 0 ? route_site(l, name) : NULL;

	return site != NULL && site->tls != NULL ? site->tls : l->tls.first;
}

/* "h2 http/1.1" as RFC 7301 3.1 has it on the wire. */
static void
listen_alpn(struct prepared *p, struct plan_listen *l)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, l->section);
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	span wire = span_of("", 0);

	while ((v = conf_next(&s, KEY_LISTEN_PROTOCOLS, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++) {
			char len = (char)v->words[i].text.len;
			span parts[] = {
			    wire, span_of(&len, 1), v->words[i].text};

			wire = arena_concat(&p->arena, parts, NELEMS(parts));
		}
	l->tls.alpn = wire.p;
	l->tls.alpn_len = (uint32_t)wire.len;
}

/* The certificate of clients that name no site: the listen's own, that of the
 * site for all hosts, or of the first site. */
static struct tls_context *
listen_first(const struct prepared *p, const struct plan_listen *l)
{
	if (l->own_tls != NULL)
		return l->own_tls;
	if (l->any != NULL && l->any->tls != NULL)
		return l->any->tls;
	for (uint32_t i = 0; i < p->plan.n_sites; i++) {
		const struct plan_site *site = &p->plan.sites[i];

		if (site->tls != NULL && prepare_is_served(p, site, l))
			return site->tls;
	}
	return NULL;
}

/* Who names a site that has a certificate is asked for theirs by the site, not
 * by the listen; it may have been meant otherwise. */
static void
listen_verify_passed_by(const struct prepared *p, const struct plan_listen *l,
    const struct conf_value *verify, struct diag *d)
{
	for (uint32_t i = 0; i < p->plan.n_sites; i++) {
		const struct plan_site *site = &p->plan.sites[i];
		struct conf_scope s =
		    conf_scope_of(p->plan.conf, site->section);

		if (site->tls == NULL ||
		    conf_get(&s, KEY_SITE_VERIFY) != NULL ||
		    !prepare_is_served(p, site, l))
			continue;
		diag_warning(d, verify->at,
		    "clients of [site %.*s] are not asked for a certificate: "
		    "it has one of its own, and says no verify",
		    SPAN_FMT(site->name));
		return;
	}
}

static void
prepare_listen_tls(struct prepared *p, struct plan_listen *l, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, l->section);
	const struct conf_value *on = conf_get(&s, KEY_LISTEN_TLS);
	uint32_t before = diag_count(d, DIAG_ERROR);
	enum tls_verify verify = TLS_VERIFY_OFF;

	l->has_tls = conf_bool(&s, KEY_LISTEN_TLS);
	if (!l->has_tls)
		return;
	l->own_tls = prepare_context(p, &s, l->name, &verify, d);
	if (verify != TLS_VERIFY_OFF)
		listen_verify_passed_by(p, l, conf_get(&s, KEY_SITE_VERIFY), d);
	l->tls.first = listen_first(p, l);
	l->tls.choose = listen_choose;
	l->tls.self = l;
	l->tls.wants_ja4 = conf_mentions(p->plan.conf, SPAN_LIT("ja4")) ||
			   acls_want_ja4(p->acls);
	listen_alpn(p, l);
	if (l->tls.first == NULL && diag_count(d, DIAG_ERROR) == before &&
	    before == 0)
		diag_error(d, on != NULL ? on->at : l->at,
		    "tls = on, but neither this listen nor a site that it "
		    "serves has a certificate");
}

static void
prepare_upstream_tls(struct prepared *p, struct upstream *u,
    const struct conf_scope *s, struct up_tls_base *base, struct diag *d)
{
	const struct conf_value *v =
	    conf_get(s, KEY_UPSTREAM_CLIENT_CERTIFICATE);

	up_prepare_tls(u, s, base, d);
	if (v != NULL && u->tls != NULL && tls_client_ends(u->tls) != 0)
		prepare_end(p, v->text, v->at, tls_client_ends(u->tls), d);
}

/* Those of one [forward], which are next to each other behind `i`. Returns where
 * the next one's begin. */
static uint32_t
prepare_parents_tls(struct prepared *p, const struct conf_section *sec,
    uint32_t i, struct up_tls_base *base, struct diag *d)
{
	struct conf_scope s = conf_scope_of(p->plan.conf, sec);
	bool has_tls = false;

	for (; i < p->plan.n_upstreams &&
	       span_eq(p->plan.upstreams[i]->name, sec->name);
	     i++) {
		if (!upstream_has_tls(p->plan.upstreams[i]))
			continue;
		has_tls = true;
		prepare_upstream_tls(p, p->plan.upstreams[i], &s, base, d);
	}
	if (!has_tls)
		up_warn_stray_tls(&s, "parent", d);
	return i;
}

static void
prepare_upstreams_tls(struct prepared *p, struct diag *d)
{
	struct up_tls_base base = {.policy = &p->tls, .arena = &p->arena};
	uint32_t i = 0;

	for (const struct conf_section *s =
		 conf_first(p->plan.conf, CONF_UPSTREAM);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(p->plan.conf, s);

		if (upstream_has_tls(p->plan.upstreams[i]))
			prepare_upstream_tls(
			    p, p->plan.upstreams[i], &scope, &base, d);
		else
			up_warn_stray_tls(&scope, "server of this upstream", d);
		i++;
	}
	for (const struct conf_section *s =
		 conf_first(p->plan.conf, CONF_FORWARD);
	     s != NULL; s = s->next)
		i = prepare_parents_tls(p, s, i, &base, d);
	tls_trust_free(base.system);
}

void
prepare_tls(struct prepared *p, struct diag *d)
{
	prepare_upstreams_tls(p, d);
	for (uint32_t i = 0; i < p->plan.n_sites; i++) {
		struct plan_site *site = &p->plan.sites[i];
		struct conf_scope s =
		    conf_scope_of(p->plan.conf, site->section);
		enum tls_verify verify = TLS_VERIFY_OFF;

		site->tls = prepare_context(p, &s, site->name, &verify, d);
		site->asks_certificate = verify != TLS_VERIFY_OFF;
		site->needs_certificate = verify == TLS_VERIFY_REQUIRE;
	}
	for (uint32_t i = 0; i < p->plan.n_listens; i++)
		prepare_listen_tls(p, &p->plan.listens[i], d);
}

void
prepare_free_tls(struct prepared *p)
{
	prepare_free_staples(p);
	for (uint32_t i = 0; i < p->plan.n_sites; i++)
		tls_context_free(p->plan.sites[i].tls);
	for (uint32_t i = 0; i < p->plan.n_listens; i++)
		tls_context_free(p->plan.listens[i].own_tls);
}
