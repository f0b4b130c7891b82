/* tls_ticket: session tickets under keys that all processes share, so that a
 * client may come back to any of them (RFC 5077 4, RFC 8446 4.6.1). */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "common/tls/tls_int.h"

/* What OpenSSL's callback answers, see
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
enum { KEY_FAILED = -1, KEY_NONE = 0, KEY_USE = 1, KEY_USE_AND_RENEW = 2 };

static bool
mac_init(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_init(mac, key->hmac, sizeof(key->hmac), params) == 1;
}

static int
ticket_encrypt(const struct tls_ticket_key *key, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const EVP_CIPHER *aes = EVP_aes_256_cbc();

	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1 ||
	    EVP_EncryptInit_ex(cipher, aes, NULL, key->aes, iv) != 1 ||
	    !mac_init(mac, key))
		return KEY_FAILED;
	return KEY_USE;
}

static int
ticket_decrypt(const struct tls_ticket_key *key, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (!mac_init(mac, key) || EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(),
				       NULL, key->aes, iv) != 1)
		return KEY_FAILED;
	return KEY_USE;
}

static int
ticket_make(const struct tls_shared *shared, unsigned char *name,
    unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct tls_ticket_key key;
	int rc = KEY_NONE;

	if (shared->ticket_current(shared->self, &key)) {
		memcpy(name, key.name, sizeof(key.name));
		rc = ticket_encrypt(&key, iv, cipher, mac);
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return rc;
}

static int
ticket_open(SSL *ssl, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct tls_shared *shared = tls_shared_of(ssl);
	struct tls_ticket_key key;
	enum tls_ticket found = shared->ticket_find(shared->self, name, &key);
	int rc = KEY_NONE;

	if (found != TLS_TICKET_UNKNOWN)
		rc = ticket_decrypt(&key, iv, cipher, mac);
	OPENSSL_cleanse(&key, sizeof(key));
	/* RFC 8446 C.4: a client uses a ticket once and needs another one */
	if (rc == KEY_USE &&
	    (found == TLS_TICKET_RENEW || SSL_version(ssl) == TLS1_3_VERSION))
		return KEY_USE_AND_RENEW;
	return rc;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	if (is_new)
		return ticket_make(tls_shared_of(ssl), name, iv, cipher, mac);
	return ticket_open(ssl, name, iv, cipher, mac);
}

void
tls_ticket_use(SSL_CTX *ssl)
{
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}
