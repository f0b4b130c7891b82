/* A private key whose operations are done elsewhere (tls_later.h): the
 * handshake waits for the answer, the loop goes on, and nothing is lost when
 * the connection goes first. */
/* A key method is how a key is replaced without a provider; OpenSSL 3 calls
 * that interface deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>

#include "common/tls/tls_later.h"
#include "t/unit/tls_fixture.h"
#include "t/unit/unit.h"

static struct tls_pair p;
static EC_KEY_METHOD *method;
/* The operation that waits. */
static struct tls_later waiting;
static unsigned n_begun;
static unsigned n_signed;

static ECDSA_SIG *
sign_later(const unsigned char *dgst, int len, const BIGNUM *kinv,
    const BIGNUM *r, EC_KEY *key)
{
	ECDSA_SIG *(*sign)(const unsigned char *, int, const BIGNUM *,
	    const BIGNUM *, EC_KEY *);

	ck_assert(tls_later_begin(&waiting));
	n_begun++;
	tls_later_wait();
	n_signed++;
	EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), NULL, NULL, &sign);
	return sign(dgst, len, kinv, r, key);
}

static int
sign_later_der(int type, const unsigned char *dgst, int len, unsigned char *sig,
    unsigned *sig_len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	ECDSA_SIG *s = sign_later(dgst, len, kinv, r, key);

	(void)type;
	if (s == NULL)
		return 0;
	*sig_len = (unsigned)i2d_ECDSA_SIG(s, &sig);
	ECDSA_SIG_free(s);
	return 1;
}

static void
set_up(void)
{
	EC_KEY *ec;
	EVP_PKEY *key;

	pair_init(&p);
	method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	EC_KEY_METHOD_set_sign(method, sign_later_der, NULL, sign_later);
	ec = EVP_PKEY_get1_EC_KEY(p.key);
	ck_assert_ptr_nonnull(ec);
	ck_assert_int_eq(EC_KEY_set_method(ec, method), 1);
	key = EVP_PKEY_new();
	ck_assert_int_eq(EVP_PKEY_assign_EC_KEY(key, ec), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(p.context->ssl, key), 1);
	EVP_PKEY_free(key);
	p.srv.has_signer = true;
	n_begun = n_signed = 0;
}

static void
tear_down(void)
{
	pair_fini(&p);
	EC_KEY_METHOD_free(method);
}

/* Both have begun, and the key was asked. */
static void
begin(void)
{
	pair_open(&p, NULL, NULL);
	pair_accept(&p, span_of(NULL, 0));
	pair_connect(&p, SPAN_LIT("test.example"));
	for (int i = 0; n_begun == 0; i++) {
		ck_assert_int_lt(i, 100);
		loop_step(p.loop, 0);
	}
}

START_TEST(the_loop_goes_on_while_a_signer_works)
{
	begin();
	for (int i = 0; i < 10; i++)
		loop_step(p.loop, 0);
	ck_assert_uint_eq(n_signed, 0);
	ck_assert_uint_eq(p.server.told, 0);
	tls_later_resume(&waiting);
	/* not from within the call: that may be anywhere */
	ck_assert_uint_eq(n_signed, 0);
	pair_await(&p, &p.server, STREAM_OPEN);
	pair_await(&p, &p.client, STREAM_OPEN);
	ck_assert_uint_eq(n_signed, 1);
	ck_assert_int_eq(end_say(&p.client, "hello"), 5);
	end_hears(&p, &p.server, "hello");
}
END_TEST

START_TEST(an_answer_for_a_closed_connection_is_dropped)
{
	begin();
	p.server.n_told = 0;
	stream_close(&p.server.s);
	loop_step(p.loop, 0);
	tls_later_resume(&waiting);
	loop_step(p.loop, 0);
	loop_step(p.loop, 0);
	ck_assert_uint_eq(n_signed, 1);
	ck_assert_uint_eq(p.server.n_told, 0);
}
END_TEST

START_TEST(a_client_that_leaves_meanwhile_is_told_at_once)
{
	begin();
	stream_close(&p.client.s);
	pair_await(&p, &p.server, STREAM_DEAD);
	ck_assert_int_eq(tls_stream_failure(&p.server.s), TLS_FAILURE_CUT);
	stream_close(&p.server.s);
	tls_later_resume(&waiting);
	loop_step(p.loop, 0);
	loop_step(p.loop, 0);
	ck_assert_uint_eq(n_signed, 1);
}
END_TEST

START_TEST(outside_of_a_handshake_nobody_can_wait)
{
	struct tls_later l;

	ck_assert(!tls_later_begin(&l));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_loop_goes_on_while_a_signer_works,
	    an_answer_for_a_closed_connection_is_dropped,
	    a_client_that_leaves_meanwhile_is_told_at_once,
	    outside_of_a_handshake_nobody_can_wait,
	};

	return unit_run_in(
	    "tls_later", tests, NELEMS(tests), set_up, tear_down);
}
