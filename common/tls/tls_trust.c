/* tls_trust: stores of authorities. OpenSSL would look into the system's folder
 * in the middle of a handshake; below the master no path is opened, so all of
 * it is read at the start. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/tls/tls_client.h"
#include "common/tls/tls_int.h"

/* The one file in which Debian and its kin keep all of them (see
 * update-ca-certificates(8)), in OpenSSL's folder. */
#define TRUST_BUNDLE "ca-certificates.crt"
#define TRUST_PATH_CAP 4096

time_t
tls_crl_ends(const char *file)
{
	FILE *f = fopen(file, "re");
	time_t first = 0;
	X509_CRL *crl;

	if (f == NULL)
		return 0;
	while ((crl = PEM_read_X509_CRL(f, NULL, NULL, NULL)) != NULL) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
		struct tm tm;

		if (next != NULL && ASN1_TIME_to_tm(next, &tm) == 1 &&
		    (first == 0 || timegm(&tm) < first))
			first = timegm(&tm);
		X509_CRL_free(crl);
	}
	ERR_clear_error();
	(void)fclose(f);
	return first;
}

/* What is done with each file of authorities; whether anything was read. */
typedef bool trust_file_f(void *self, const char *file);

/* Into a store. */
static bool
trust_add(void *store, const char *file)
{
	bool is_ok =
	    access(file, R_OK) == 0 && X509_STORE_load_file(store, file) == 1;

	ERR_clear_error();
	return is_ok;
}

/* As a text, to a stream. */
static bool
trust_copy(void *out, const char *file)
{
	FILE *in = fopen(file, "re");
	char buf[4096];
	size_t n;
	bool is_any = false;

	if (in == NULL)
		return false;
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		is_any |= fwrite(buf, 1, n, out) == n;
	/* the next file begins on a line of its own */
	(void)fputc('\n', out);
	(void)fclose(in);
	return is_any;
}

/* "1a2b3c4d.0": the name by which OpenSSL finds an authority in a folder
 * (openssl-rehash(1)). */
static bool
is_hashed(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
	       name[9] >= '0' && name[9] <= '9' && name[10] == '\0';
}

static bool
trust_add_folder(trust_file_f *add, void *self, const char *folder)
{
	char path[TRUST_PATH_CAP];
	bool has_any = false;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/" TRUST_BUNDLE, folder);
	if (add(self, path))
		return true;
	d = opendir(folder);
	if (d == NULL)
		return false;
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		if (!is_hashed(e->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		has_any |= add(self, path);
	}
	(void)closedir(d);
	return has_any;
}

/* What the environment says, if it may be heard, or OpenSSL's own. */
static const char *
trust_place(const char *variable, const char *place)
{
	const char *told = secure_getenv(variable);

	return told != NULL && told[0] != '\0' ? told : place;
}

static bool
trust_add_system(trust_file_f *add, void *self, struct tls_problem *p)
{
	const char *file = trust_place(
	    X509_get_default_cert_file_env(), X509_get_default_cert_file());
	const char *folder = trust_place(
	    X509_get_default_cert_dir_env(), X509_get_default_cert_dir());

	if (add(self, file) || trust_add_folder(add, self, folder))
		return true;
	(void)snprintf(p->text, sizeof(p->text),
	    "this system has no authorities, neither in %s nor in %s: install "
	    "ca-certificates, name a file with ca, or set tls_verify = off",
	    file, folder);
	return false;
}

static bool
trust_add_file(X509_STORE *store, const char *file, struct tls_problem *p)
{
	if (access(file, R_OK) != 0) {
		(void)snprintf(p->text, sizeof(p->text),
		    "the file of authorities %s cannot be opened", file);
		return false;
	}
	if (trust_add(store, file))
		return true;
	(void)snprintf(p->text, sizeof(p->text),
	    "there is no certificate in the file of authorities %s", file);
	return false;
}

struct tls_trust *
tls_trust_new(const char *file, struct tls_problem *p)
{
	struct tls_trust *t = calloc(1, sizeof(*t));
	bool is_ok;

	REQUIRE(t != NULL);
	t->store = X509_STORE_new();
	REQUIRE(t->store != NULL);
	is_ok = file == NULL ? trust_add_system(trust_add, t->store, p)
			     : trust_add_file(t->store, file, p);
	if (is_ok)
		return t;
	tls_trust_free(t);
	return NULL;
}

char *
tls_trust_system_text(size_t *len)
{
	struct tls_problem why;
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	REQUIRE(out != NULL);
	(void)trust_add_system(trust_copy, out, &why);
	REQUIRE(fclose(out) == 0);
	return text;
}

struct tls_trust *
tls_trust_text(span pem, struct tls_problem *p)
{
	struct tls_trust *t = calloc(1, sizeof(*t));
	BIO *in = BIO_new_mem_buf(pem.p, (int)size_min(pem.len, INT_MAX));
	bool has_any = false;
	X509 *x;

	REQUIRE(t != NULL && in != NULL);
	t->store = X509_STORE_new();
	REQUIRE(t->store != NULL);
	while ((x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL)) != NULL) {
		has_any |= X509_STORE_add_cert(t->store, x) == 1;
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(in);
	if (has_any)
		return t;
	(void)snprintf(p->text, sizeof(p->text),
	    "there is no certificate in the text of authorities");
	tls_trust_free(t);
	return NULL;
}

void
tls_trust_free(struct tls_trust *t)
{
	if (t == NULL)
		return;
	X509_STORE_free(t->store);
	free(t);
}
