/* tls_fail: why a handshake or a stream failed, from what OpenSSL noted. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "common/tls/tls_int.h"

/* Of the reasons that OpenSSL gives, those that are no broken protocol. */
static enum tls_failure
failure_of(int reason)
{
	switch (reason) {
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_APPLICATION_PROTOCOL:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
	case SSL_R_TLSV1_UNRECOGNIZED_NAME:
		return TLS_FAILURE_MISMATCH;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return TLS_FAILURE_CERTIFICATE;
	case ERR_R_INTERNAL_ERROR:
	case ERR_R_MALLOC_FAILURE:
		return TLS_FAILURE_INTERNAL;
	default:
		return TLS_FAILURE_PROTOCOL;
	}
}

const char *
tls_first_error(void)
{
	unsigned long e = ERR_peek_error();
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return text != NULL ? text : "no reason told";
}

const char *
tls_why_failed(const SSL *ssl, enum tls_failure *class)
{
	unsigned long e = ERR_peek_error();
	const char *text = tls_first_error();

	*class = failure_of(ERR_GET_REASON(e));
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return X509_verify_cert_error_string(
		    SSL_get_verify_result(ssl));
	return text;
}
