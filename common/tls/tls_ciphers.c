/* tls_ciphers: which cipher suites servers offer. In the configuration they are
 * one list, in OpenSSL those of TLS 1.3 are set apart from the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/check.h"
#include "common/tls/tls_int.h"

/* What Mozilla's guideline "intermediate", version 5.7, accepts, in its order:
 * AES with 128 bits first, which costs a third less than with 256. */
#define CIPHERS_1_3 \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
	"TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_1_2 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:" \
	"DHE-RSA-CHACHA20-POLY1305"

static bool
is_of_1_3(span word)
{
	return span_starts(word, SPAN_LIT("TLS_"));
}

/* The words of one kind, with colons between; the caller's to free. */
static char *
pick(const char *list, bool of_1_3)
{
	size_t cap = strlen(list) + 1;
	char *to = calloc(1, cap);
	span rest = span_str(list);
	span word;

	REQUIRE(to != NULL);
	while (span_cut(&rest, ':', &word)) {
		if (is_of_1_3(word) != of_1_3)
			continue;
		if (to[0] != '\0')
			(void)strncat(to, ":", cap - strlen(to) - 1);
		(void)strncat(to, word.p, word.len);
	}
	return to;
}

static bool
use_1_3(SSL_CTX *ssl, const char *list)
{
	return SSL_CTX_set_ciphersuites(ssl, list) == 1;
}

static bool
use_1_2(SSL_CTX *ssl, const char *list)
{
	return SSL_CTX_set_cipher_list(ssl, list) == 1;
}

/* Whether the word is good where it stands. OpenSSL drops what it does not know
 * when something else is left. What only takes out (`!RC4`) or sorts may name
 * what is not there. */
static bool
word_is_good(SSL_CTX *ssl, span word)
{
	char *text;
	bool is_good;

	if (word.len == 0 || span_chr(word, ' ') >= 0)
		return false;
	if (strchr("!-+@", word.p[0]) != NULL)
		return true;
	text = strndup(word.p, word.len);
	REQUIRE(text != NULL);
	is_good = is_of_1_3(word) ? use_1_3(ssl, text) : use_1_2(ssl, text);
	free(text);
	return is_good;
}

/* A version that the list does not name a suite of has ours. */
static bool
use_list(SSL_CTX *ssl, const char *list)
{
	char *new = pick(list, true);
	char *old = pick(list, false);
	bool is_ok = use_1_3(ssl, new[0] != '\0' ? new : CIPHERS_1_3) &&
		     use_1_2(ssl, old[0] != '\0' ? old : CIPHERS_1_2);

	free(new);
	free(old);
	return is_ok;
}

bool
tls_ciphers_check(const char *list, struct tls_problem *p)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	span rest = span_str(list);
	bool is_good = true;
	span word;

	REQUIRE(ssl != NULL);
	while (is_good && span_cut(&rest, ':', &word)) {
		is_good = word_is_good(ssl, word);
		if (!is_good)
			(void)snprintf(p->text, sizeof(p->text),
			    "no such cipher suite '%.*s': write names of "
			    "`openssl ciphers` with colons between",
			    SPAN_FMT(word));
	}
	if (is_good && !use_list(ssl, list)) {
		is_good = false;
		(void)snprintf(p->text, sizeof(p->text),
		    "no cipher suites are left by %s", list);
	}
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return is_good;
}

void
tls_ciphers_use(SSL_CTX *ssl, const char *list)
{
	REQUIRE(use_list(ssl, list != NULL ? list : ""));
}
