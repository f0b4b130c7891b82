/* auth/passwd: see passwd.h. libxcrypt does the work; the one format that it
 * does not know, Apache's variant of MD5-crypt, is small. */
#include "worker/auth/passwd.h"

#include <crypt.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/base/check.h"

/* htpasswd takes up to 17; each step doubles the time, which is about 4 s at 16
 * and too long for anybody who waits. */
#define BCRYPT_COST_MAX 16u
#define BCRYPT_COST_MIN 4u /* crypt(5) */
#define BCRYPT_LEN 60u
#define BCRYPT_HEAD 7u /* "$2y$10$" */
/* The default is 5000; crypt(5) allows 999999999, which is half an hour. */
#define SHA_ROUNDS_MAX 1000000u
#define SHA_SALT_MAX 16u
#define SHA256_LEN 43u
#define SHA512_LEN 86u
#define YESCRYPT_LEN 43u
#define APR1_SALT_MAX 8u
#define APR1_LEN 22u
#define APR1_ROUNDS 1000u
#define APR1_MAGIC SPAN_LIT("$apr1$")
#define MD5_LEN 16u

static const char digits[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool
is_digits(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (memchr(digits, s.p[i], sizeof(digits) - 1) == NULL)
			return false;
	return true;
}

/* "$2y$NN$" and 53 characters. */
static enum passwd_kind
judge_bcrypt(span hash, const char **why)
{
	uint64_t cost;

	*why = "the bcrypt hash is malformed";
	if (hash.len != BCRYPT_LEN || memchr("yba", hash.p[2], 3) == NULL ||
	    hash.p[3] != '$' || hash.p[6] != '$' ||
	    !span_u64(span_of(hash.p + 4, 2), 99, &cost) ||
	    cost < BCRYPT_COST_MIN || !is_digits(span_from(hash, BCRYPT_HEAD)))
		return PASSWD_NONE;
	if (cost <= BCRYPT_COST_MAX)
		return PASSWD_BCRYPT;
	*why = "the cost of the bcrypt hash is over 16: verifying it would "
	       "take too long";
	return PASSWD_NONE;
}

/* "[rounds=N$]salt$" and the hash, behind "$5$" or "$6$". */
static bool
judge_sha(span s, size_t len, const char **why)
{
	uint64_t rounds = 0;
	span salt;

	*why = "the SHA-crypt hash is malformed";
	if (!span_cut(&s, '$', &salt))
		return false;
	if (span_starts(salt, SPAN_LIT("rounds="))) {
		if (!span_u64(span_from(salt, sizeof("rounds=") - 1),
			UINT32_MAX, &rounds) ||
		    !span_cut(&s, '$', &salt))
			return false;
	}
	if (salt.len > SHA_SALT_MAX || s.len != len || !is_digits(s))
		return false;
	if (rounds <= SHA_ROUNDS_MAX)
		return true;
	*why = "the SHA-crypt hash has over 1000000 rounds: verifying it would "
	       "take too long";
	return false;
}

/* "params$salt$" and the hash, behind "$y$". */
static bool
judge_yescrypt(span s)
{
	span params;
	span salt;

	return span_cut(&s, '$', &params) && span_cut(&s, '$', &salt) &&
	       params.len > 0 && is_digits(params) && is_digits(salt) &&
	       s.len == YESCRYPT_LEN && is_digits(s);
}

static bool
judge_apr1(span s)
{
	span salt;

	return span_cut(&s, '$', &salt) && salt.len > 0 &&
	       salt.len <= APR1_SALT_MAX && s.len == APR1_LEN && is_digits(s);
}

/* What is no hash that is worth its name. */
static const char *
judge_other(span hash)
{
	if (hash.len == 0)
		return "there is no password hash";
	if (span_starts(hash, SPAN_LIT("{SHA}")) ||
	    span_starts(hash, SPAN_LIT("{SSHA}")))
		return "SHA-1 hashes are not taken: use htpasswd -B";
	if (span_starts(hash, SPAN_LIT("$1$")))
		return "MD5-crypt hashes are not taken: use htpasswd -B";
	if (hash.p[0] == '$')
		return "the kind of hash is not known: bcrypt ($2y$), "
		       "SHA-crypt ($5$, $6$), yescrypt ($y$) and apr1 are";
	return "this is no hash but a plain password, or one of DES: use "
	       "htpasswd -B";
}

/* What the library will say of it. */
static bool
is_known_to_library(span hash)
{
	char text[PASSWD_HASH_MAX + 1];
	int rc;

	memcpy(text, hash.p, hash.len);
	text[hash.len] = '\0';
	rc = crypt_checksalt(text);
	return rc != CRYPT_SALT_INVALID && rc != CRYPT_SALT_METHOD_DISABLED;
}

static enum passwd_kind
judge_form(span hash, const char **why)
{
	if (span_starts(hash, SPAN_LIT("$2")))
		return judge_bcrypt(hash, why);
	if (span_starts(hash, SPAN_LIT("$5$")))
		return judge_sha(span_from(hash, 3), SHA256_LEN, why)
			   ? PASSWD_SHA256
			   : PASSWD_NONE;
	if (span_starts(hash, SPAN_LIT("$6$")))
		return judge_sha(span_from(hash, 3), SHA512_LEN, why)
			   ? PASSWD_SHA512
			   : PASSWD_NONE;
	*why = "the yescrypt hash is malformed";
	if (span_starts(hash, SPAN_LIT("$y$")))
		return judge_yescrypt(span_from(hash, 3)) ? PASSWD_YESCRYPT
							  : PASSWD_NONE;
	*why = "the apr1 hash is malformed";
	if (span_starts(hash, APR1_MAGIC))
		return judge_apr1(span_from(hash, APR1_MAGIC.len))
			   ? PASSWD_APR1
			   : PASSWD_NONE;
	*why = judge_other(hash);
	return PASSWD_NONE;
}

enum passwd_kind
passwd_judge(span hash, const char **why)
{
	enum passwd_kind kind;

	*why = "the hash is too long";
	if (hash.len > PASSWD_HASH_MAX)
		return PASSWD_NONE;
	kind = judge_form(hash, why);
	if (kind == PASSWD_NONE || kind == PASSWD_APR1 ||
	    is_known_to_library(hash))
		return kind;
	*why = "the hash is malformed, or libcrypt was built without its kind";
	return PASSWD_NONE;
}

/* --- apr1 ----------------------------------------------------------------- */

static bool
md5_add(EVP_MD_CTX *c, span s)
{
	return EVP_DigestUpdate(c, s.p, s.len) == 1;
}

static bool
md5_begin(EVP_MD_CTX *c)
{
	return EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1;
}

static bool
md5_end(EVP_MD_CTX *c, unsigned char out[MD5_LEN])
{
	return EVP_DigestFinal_ex(c, out, NULL) == 1;
}

/* The first digest: password, salt, and the other way round, as many bytes of
 * that as the password has, and a byte for each bit of its length. */
static bool
apr1_first(EVP_MD_CTX *c, span password, span salt, unsigned char out[MD5_LEN])
{
	span inner = span_of((const char *)out, MD5_LEN);
	bool ok = md5_begin(c) && md5_add(c, password) && md5_add(c, salt) &&
		  md5_add(c, password) && md5_end(c, out) && md5_begin(c) &&
		  md5_add(c, password) && md5_add(c, APR1_MAGIC) &&
		  md5_add(c, salt);

	for (size_t left = password.len; ok && left > 0;
	     left -= left < MD5_LEN ? left : MD5_LEN)
		ok = md5_add(c, span_first(inner, left));
	for (size_t bits = password.len; ok && bits > 0; bits >>= 1)
		ok = md5_add(c,
		    (bits & 1) != 0 ? span_of("", 1) : span_first(password, 1));
	return ok && md5_end(c, out);
}

/* One of the rounds that make it slow. */
static bool
apr1_round(
    EVP_MD_CTX *c, unsigned i, const span parts[2], unsigned char out[MD5_LEN])
{
	span last = span_of((const char *)out, MD5_LEN);
	bool is_odd = (i & 1) != 0;

	return md5_begin(c) && md5_add(c, is_odd ? parts[0] : last) &&
	       (i % 3 == 0 || md5_add(c, parts[1])) &&
	       (i % 7 == 0 || md5_add(c, parts[0])) &&
	       md5_add(c, is_odd ? last : parts[0]) && md5_end(c, out);
}

/* n characters, the low bits first. */
static char *
apr1_write(char *p, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 6)
		*p++ = digits[v & 0x3f];
	return p;
}

static bool
apr1_hash(span password, span salt, char out[APR1_LEN])
{
	static const unsigned char order[][3] = {
	    {0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
	const span parts[2] = {password, salt};
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char sum[MD5_LEN];
	char *p = out;
	bool ok = c != NULL && apr1_first(c, password, salt, sum);

	for (unsigned i = 0; ok && i < APR1_ROUNDS; i++)
		ok = apr1_round(c, i, parts, sum);
	for (size_t i = 0; ok && i < NELEMS(order); i++)
		p = apr1_write(p,
		    (uint32_t)sum[order[i][0]] << 16 |
			(uint32_t)sum[order[i][1]] << 8 | sum[order[i][2]],
		    4);
	if (ok)
		(void)apr1_write(p, sum[11], 2);
	OPENSSL_cleanse(sum, sizeof(sum));
	EVP_MD_CTX_free(c);
	return ok;
}

static bool
verify_apr1(span hash, span password)
{
	span rest = span_from(hash, APR1_MAGIC.len);
	char made[APR1_LEN];
	span salt;

	return span_cut(&rest, '$', &salt) && apr1_hash(password, salt, made) &&
	       rest.len == APR1_LEN &&
	       CRYPTO_memcmp(made, rest.p, APR1_LEN) == 0;
}

/* --- the others ----------------------------------------------------------- */

/* What the library wants: texts with a NUL behind, and room. */
struct crypt_room {
	char hash[PASSWD_HASH_MAX + 1];
	char password[PASSWD_MAX + 1];
	struct crypt_data data;
};

static bool
verify_crypt(span hash, span password)
{
	struct crypt_room *room = calloc(1, sizeof(*room));
	const char *made;
	bool ok;

	REQUIRE(room != NULL);
	memcpy(room->hash, hash.p, hash.len);
	memcpy(room->password, password.p, password.len);
	made = crypt_rn(
	    room->password, room->hash, &room->data, (int)sizeof(room->data));
	ok = made != NULL && strlen(made) == hash.len &&
	     CRYPTO_memcmp(made, hash.p, hash.len) == 0;
	OPENSSL_cleanse(room, sizeof(*room));
	free(room);
	return ok;
}

bool
passwd_verify(span hash, span password)
{
	REQUIRE(hash.len <= PASSWD_HASH_MAX && password.len <= PASSWD_MAX);
	return span_starts(hash, APR1_MAGIC) ? verify_apr1(hash, password)
					     : verify_crypt(hash, password);
}
