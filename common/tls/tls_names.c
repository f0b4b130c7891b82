/* tls_names: for which names a certificate is, and until when, for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/tls/tls_int.h"
#include "common/tls/tls_ocsp.h"

/* An IPv4 address as a subjectAltName has it (RFC 5280 4.2.1.6). */
#define IP4_LEN 4

/* Nothing that ends a word, and nothing that a terminal obeys. */
static void
names_add(FILE *out, const ASN1_STRING *s)
{
	const unsigned char *p = ASN1_STRING_get0_data(s);
	int len = ASN1_STRING_length(s);

	for (int i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] > '~')
			return;
	(void)fprintf(out, "%.*s ", len, (const char *)p);
}

static void
names_add_ip(FILE *out, const ASN1_STRING *s)
{
	const unsigned char *p = ASN1_STRING_get0_data(s);
	int len = ASN1_STRING_length(s);
	char text[IP_TEXT_CAP];
	struct ip ip;

	if (len == (int)sizeof(ip.b)) {
		memcpy(ip.b, p, sizeof(ip.b));
		(void)ip_format(&ip, text);
		(void)fprintf(out, "%s ", text);
	} else if (len == IP4_LEN) {
		(void)fprintf(out, "%u.%u.%u.%u ", p[0], p[1], p[2], p[3]);
	}
}

static bool
names_add_alt(FILE *out, X509 *x)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			names_add(out, g->d.dNSName);
		else if (g->type == GEN_IPADD)
			names_add_ip(out, g->d.iPAddress);
	}
	GENERAL_NAMES_free(all);
	return all != NULL;
}

char *
tls_leaf_names(const struct tls_leaf *l)
{
	X509_NAME *subject = X509_get_subject_name(l->cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	if (!names_add_alt(out, l->cert) && at >= 0)
		names_add(out,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	REQUIRE(fclose(out) == 0);
	return text;
}
