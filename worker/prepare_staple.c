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
staple_from_file(struct prepared *p, struct tls_context *c,
    const struct tls_leaf *leaf, const struct staple_conf *s, struct diag *d)
{
	const char *path = arena_span(&p->arena, s->file).p;
	int64_t now_s = (int64_t)time(NULL);
	char der[TLS_OCSP_MAX];
	struct tls_answer a;
	enum tls_ocsp judged;
	size_t len;

	if (!tls_leaf_has_issuer(leaf)) {
		diag_error(d, s->at,
		    "the issuer of the certificate is needed to judge %s: "
		    "append its certificate to %.*s",
		    path, SPAN_FMT(s->chain));
		return;
	}
	len = answer_read(path, der, s->at, d);
	if (len == 0)
		return;
	judged = tls_ocsp_judge(leaf, span_of(der, len), now_s, &a);
	answer_tell(judged, path, &a, s->at, d);
	if (judged == TLS_OCSP_GOOD || judged == TLS_OCSP_EARLY)
		tls_staple_use(c, span_of(der, len), &a);
}

void
prepare_staple(struct prepared *p, struct tls_context *c,
    const struct staple_conf *s, struct diag *d)
{
	const struct tls_leaf *leaf = tls_staple_leaf(c);

	if (s->file.len > 0)
		staple_from_file(p, c, leaf, s, d);
	else if (tls_leaf_must_staple(leaf))
		diag_warning(d, s->at,
		    "the certificate %.*s asks clients to insist on a staple, "
		    "and there is none: add ocsp=file:PATH behind it",
		    SPAN_FMT(s->chain));
}
