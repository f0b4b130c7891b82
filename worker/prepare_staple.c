/* prepare_staple: OCSP answers for certificates, from files or to be fetched by
 * the steward. What somebody did wrong is an error; what time brings about (an
 * answer that expires, a certificate that is revoked) is a warning, so that it
 * never keeps a start or a reload from serving. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/map.h"
#include "common/tls/tls_staple.h"
#include "worker/prepare.h"

/* The bytes of a file; 0: it was noted why not. */
static size_t
answer_read(
    const char *path, char out[TLS_OCSP_MAX], struct place at, struct diag *d)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL) {
		diag_error(d, at, "the OCSP response %s cannot be opened: %s",
		    path, strerror(errno));
		return 0;
	}
	n = fread(out, 1, TLS_OCSP_MAX, f);
	if (ferror(f) != 0) {
		diag_error(d, at, "the OCSP response %s cannot be read: %s",
		    path, strerror(errno));
		n = 0;
	} else if (n == 0) {
		diag_error(d, at,
		    "the OCSP response %s is empty: fetch it again", path);
	} else if (n == TLS_OCSP_MAX && fgetc(f) != EOF) {
		diag_error(d, at,
		    "the OCSP response %s is over %u bytes: is it another "
		    "file?",
		    path, TLS_OCSP_MAX);
		n = 0;
	}
	(void)fclose(f);
	return n;
}

/* What is wrong with it, and what to do. */
static void
answer_tell(enum tls_ocsp judged, const char *path, const struct tls_answer *a,
    struct place at, struct diag *d)
{
	const char *text = tls_ocsp_text(judged);
	char since[DATE_ISO_LEN];
	char until[DATE_ISO_LEN];

	date_format_iso(a->since_s * 1000000, since);
	date_format_iso(a->until_s * 1000000, until);
	switch (judged) {
	case TLS_OCSP_GOOD:
		return;
	case TLS_OCSP_REVOKED:
		diag_warning(d, at,
		    "the OCSP response %s %s and is not stapled: get another "
		    "certificate",
		    path, text);
		return;
	case TLS_OCSP_UNKNOWN:
		diag_warning(d, at,
		    "the OCSP response %s %s and is not stapled: ask the "
		    "certificate's authority",
		    path, text);
		return;
	case TLS_OCSP_LATE:
		diag_warning(d, at,
		    "the OCSP response %s %s at %.*s and is not stapled: fetch "
		    "it again",
		    path, text, DATE_ISO_LEN, until);
		return;
	case TLS_OCSP_EARLY:
		diag_warning(d, at,
		    "the OCSP response %s %s and is stapled from %.*s on: look "
		    "at the clock",
		    path, text, DATE_ISO_LEN, since);
		return;
	case TLS_OCSP_REFUSED:
	case TLS_OCSP_BAD:
	case TLS_OCSP_FOREIGN:
		diag_error(d, at,
		    "the OCSP response %s %s: fetch it again, in DER, for this "
		    "certificate",
		    path, text);
		return;
	}
	UNREACHED();
}

static void
staple_from_file(struct tls_context *c, const struct tls_leaf *leaf,
    const struct staple_conf *s, struct boot_certificate *b, struct diag *d)
{
	char *path = strndup(s->file.p, s->file.len);
	int64_t now_s = (int64_t)time(NULL);
	char der[TLS_OCSP_MAX];
	struct tls_answer a;
	enum tls_ocsp judged;
	size_t len;

	REQUIRE(path != NULL);
	len = answer_read(path, der, s->at, d);
	if (len > 0) {
		judged = tls_ocsp_judge(leaf, span_of(der, len), now_s, &a);
		answer_tell(judged, path, &a, s->at, d);
		if (judged == TLS_OCSP_GOOD || judged == TLS_OCSP_EARLY)
			tls_staple_use(c, span_of(der, len), &a);
		b->word = tls_ocsp_word(judged);
		b->since_s = a.since_s;
		b->until_s = a.until_s;
	}
	free(path);
}

/* What is fetched is found by the steward. */
static void
staple_from_steward(struct tls_context *c, const struct tls_leaf *leaf,
    const struct staple_conf *s, struct boot_certificate *b, struct diag *d)
{
	char *url = tls_leaf_responder(leaf);

	if (url == NULL) {
		diag_warning(d, s->at,
		    "the certificate %.*s names no OCSP responder with "
		    "http://: "
		    "nothing is stapled to it%s",
		    SPAN_FMT(s->chain),
		    tls_leaf_must_staple(leaf)
			? ", and clients insist on a staple: add "
			  "ocsp=file:PATH behind it"
			: "");
	} else if (!tls_leaf_has_issuer(leaf)) {
		diag_warning(d, s->at,
		    "nothing is stapled to the certificate %.*s without its "
		    "issuer: append the issuer's certificate to the file",
		    SPAN_FMT(s->chain));
	} else {
		tls_staple_use_shared(c);
		b->from = BOOT_STAPLE_FETCH;
		b->pem = tls_leaf_pem(leaf);
	}
	free(url);
}

static void
staple_choose(struct tls_context *c, const struct tls_leaf *leaf,
    const struct staple_conf *s, struct boot_certificate *b, struct diag *d)
{
	if (s->file.len > 0 && !tls_leaf_has_issuer(leaf)) {
		diag_error(d, s->at,
		    "the issuer of the certificate is needed to judge %.*s: "
		    "append its certificate to %.*s",
		    SPAN_FMT(s->file), SPAN_FMT(s->chain));
	} else if (s->file.len > 0) {
		b->from = BOOT_STAPLE_FILE;
		staple_from_file(c, leaf, s, b, d);
	} else if (s->is_fetched) {
		staple_from_steward(c, leaf, s, b, d);
	} else if (tls_leaf_must_staple(leaf)) {
		diag_warning(d, s->at,
		    "the certificate %.*s asks clients to insist on a staple, "
		    "and there is none: add ocsp=file:PATH behind it, or "
		    "ocsp_stapling = on in [tls]",
		    SPAN_FMT(s->chain));
	}
}

/* --- the list of them ----------------------------------------------------- */

static void
certificate_free(struct boot_certificate *b)
{
	free(b->names);
	free(b->pem);
}

/* Put on the list what is not there yet. Takes what b owns. */
static void
certificates_add(struct prepared *p, struct boot_certificate *b, span ocsp_file)
{
	span name =
	    arena_printf(&p->arena, "%s %.*s", b->print, SPAN_FMT(ocsp_file));

	if (map_get(&p->certificate_names, name) != NULL) {
		certificate_free(b);
		return;
	}
	p->certificates = reallocarray(p->certificates, p->n_certificates + 1u,
	    sizeof(p->certificates[0]));
	REQUIRE(p->certificates != NULL);
	p->certificates[p->n_certificates++] = *b;
	(void)map_put(&p->certificate_names, name, p);
}

void
prepare_staple(struct prepared *p, struct tls_context *c,
    const struct staple_conf *s, struct diag *d)
{
	const struct tls_leaf *leaf = tls_staple_leaf(c);
	struct boot_certificate b = {
	    .file = arena_span(&p->arena, s->chain).p,
	    .names = tls_leaf_names(leaf),
	    .ends_s = tls_context_ends(c),
	};

	tls_leaf_print_hex(leaf, b.print);
	staple_choose(c, leaf, s, &b, d);
	certificates_add(p, &b, s->file);
}

void
prepare_free_staples(struct prepared *p)
{
	for (uint32_t i = 0; i < p->n_certificates; i++)
		certificate_free(&p->certificates[i]);
	free(p->certificates);
	map_fini(&p->certificate_names);
}

uint32_t
worker_prepare_certificates(
    const struct prepared *p, const struct boot_certificate **out)
{
	*out = p->certificates;
	return p->n_certificates;
}
