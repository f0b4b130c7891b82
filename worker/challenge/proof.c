/* challenge/proof: see proof.h. The seal is 96 bits of SipHash-2-4 under two
 * keys; what is judged first costs least. */
#include "worker/challenge/proof.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"

#define PROOF_VERSION "1"
#define SEAL_DIGITS 24u
#define NONCE_DIGITS 10u
/* Clocks of machines that share a secret differ by less. */
#define PROOF_SKEW_S 300u
/* Of what is sealed: a task, an address, a host name. */
#define SEALED_MAX 512u

void
proof_key_make(span secret, struct proof_key *out)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	REQUIRE(EVP_Digest(secret.p, secret.len, md, NULL, EVP_sha256(), NULL));
	memcpy(out, md, sizeof(*out));
}

/* What is before the seal, the dot behind it included. */
static span
task_head(uint64_t at_s, unsigned bits, char out[PROOF_TASK_MAX])
{
	struct text t;

	text_init(&t, out, PROOF_TASK_MAX);
	text_add_str(&t, PROOF_VERSION ".");
	text_add_u64(&t, at_s);
	text_add_char(&t, '.');
	text_add_u64(&t, bits);
	text_add_char(&t, '.');
	REQUIRE(!t.is_cut);
	return text_span(&t);
}

/* Parts end with a byte that none of them holds. What does not fit is left out:
 * host names are shorter. */
static void
task_seal(const struct proof_key *key, const struct proof_for *who, span head,
    char out[SEAL_DIGITS])
{
	static const char digits[] = "0123456789abcdef";
	char sealed[SEALED_MAX];
	struct text t;
	uint64_t w[2];

	text_init(&t, sealed, sizeof(sealed));
	text_add(&t, head);
	text_add_char(&t, '\n');
	text_add(&t, who->client);
	text_add_char(&t, '\n');
	text_add(&t, who->host);
	for (unsigned i = 0; i < NELEMS(w); i++)
		w[i] = siphash(&key->seal[i], text_span(&t));
	for (unsigned i = 0; i < SEAL_DIGITS; i++)
		out[i] = digits[w[i / 16] >> 4 * (i % 16) & 15];
}

size_t
proof_task(const struct proof_key *key, const struct proof_for *who,
    uint64_t now_s, unsigned bits, char out[PROOF_TASK_MAX])
{
	span head = task_head(now_s, bits, out);

	REQUIRE(head.len + SEAL_DIGITS <= PROOF_TASK_MAX);
	task_seal(key, who, head, out + head.len);
	return head.len + SEAL_DIGITS;
}

/* --- judging -------------------------------------------------------------- */

/* The next part, a number in its one spelling. */
static bool
part_number(span *rest, size_t max_digits, uint64_t *out)
{
	span part;

	return span_cut(rest, '.', &part) && part.len <= max_digits &&
	       !(part.len > 1 && part.p[0] == '0') &&
	       span_u64(part, UINT64_MAX, out);
}

/* What a proof says of itself. */
struct parts {
	uint64_t at_s;
	uint64_t bits;
	span head;
	span seal;
};

static bool
parts_read(span text, struct parts *out)
{
	span rest = text, version;
	uint64_t nonce;

	if (text.len > PROOF_MAX || !span_cut(&rest, '.', &version) ||
	    !span_eq(version, SPAN_LIT(PROOF_VERSION)) ||
	    !part_number(&rest, NONCE_DIGITS, &out->at_s) ||
	    !part_number(&rest, 2, &out->bits))
		return false;
	out->head = span_first(text, (size_t)(rest.p - text.p));
	return span_cut(&rest, '.', &out->seal) &&
	       out->seal.len == SEAL_DIGITS &&
	       part_number(&rest, NONCE_DIGITS, &nonce) && rest.len == 0;
}

static bool
is_sealed(const struct proof_key *key, const struct proof_for *who,
    const struct parts *p)
{
	char seal[SEAL_DIGITS];
	unsigned differs = 0;

	task_seal(key, who, p->head, seal);
	/* as a whole: it takes the same time wherever it differs */
	for (unsigned i = 0; i < SEAL_DIGITS; i++)
		differs |= (unsigned char)seal[i] ^ (unsigned char)p->seal.p[i];
	return differs == 0;
}

static bool
is_worked(span text, unsigned bits)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	REQUIRE(EVP_Digest(text.p, text.len, md, NULL, EVP_sha256(), NULL));
	for (unsigned i = 0; i < bits; i++)
		if (md[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

enum proof_rc
proof_judge(const struct proof_key *key, const struct proof_for *who,
    const struct proof_rule *rule, span text)
{
	struct parts p;

	if (!parts_read(text, &p) || !is_sealed(key, who, &p))
		return PROOF_NONE;
	if (p.at_s > rule->now_s + PROOF_SKEW_S ||
	    p.at_s + rule->ttl_s + PROOF_SKEW_S < rule->now_s)
		return PROOF_OLD;
	if (p.bits < rule->bits || !is_worked(text, (unsigned)p.bits))
		return PROOF_WEAK;
	return PROOF_GOOD;
}
