/* auth/auth_certificate: scheme `certificate`: the certificate that the client
 * showed in the handshake says who it is. TLS has verified it; here only whose
 * word that was is judged, and what it names. */
#include "common/base/check.h"
#include "common/tls/tls_stream.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/users.h"
#include "worker/exch/sink.h"
#include "worker/exch/trail.h"

/* What was asked in the name of another site proves nothing here: each has
 * authorities of its own. */
static bool
certificate_is_ours(const struct exch *x, const struct tls_facts *f)
{
	const struct tls_context *asked = x->listen->own_tls;

	if (x->site != NULL && x->site->tls != NULL)
		asked = x->site->tls;
	return asked != NULL && f->context == asked;
}

static span
certificate_name(const struct tls_proof *p, enum auth_certificate which)
{
	switch (which) {
	case AUTH_CERTIFICATE_CN:
		return p->cn;
	case AUTH_CERTIFICATE_SUBJECT:
		return p->subject;
	case AUTH_CERTIFICATE_DNS:
		return p->dns;
	case AUTH_CERTIFICATE_EMAIL:
		return p->email;
	case AUTH_CERTIFICATE_URI:
		return p->uri;
	}
	UNREACHED();
}

static enum verdict
certificate_refuse(struct exch *x, const struct plan_auth *a, const char *why)
{
	counter_add(x->w->counters, COUNTER_AUTH_REFUSED, 1);
	trail_note(x, DECISION_AUTH, a->at, "%.*s does not know the client: %s",
	    SPAN_FMT(a->name), why);
	exch_fault_as(x, F_CERTIFICATE_NEEDED, 0, why);
	return VERDICT_FAULT;
}

enum verdict
certificate_ask(struct exch *x, const struct plan_auth *a)
{
	const struct auth_conf *c = a->conf;
	const struct tls_facts *f = x->client.tls;
	span name;

	if (f == NULL || f->proof == NULL)
		return certificate_refuse(x, a, "it showed no certificate");
	if (!certificate_is_ours(x, f))
		return certificate_refuse(
		    x, a, "its certificate was verified for another site");
	/* a dry run takes it that one was shown, and knows nothing of it */
	if (x->sink != NULL && f->proof->fingerprint.len == 0)
		return auth_let_on(x, a, SPAN_LIT("-"));
	name = certificate_name(f->proof, c->certificate);
	if (auth_name_fault(name) != NULL)
		return certificate_refuse(
		    x, a, "its certificate does not name anybody");
	return auth_let_on(x, a, name);
}
