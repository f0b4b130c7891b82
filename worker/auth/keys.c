/* auth/keys: see keys.h. */
#include "worker/auth/keys.h"

#include <openssl/evp.h>

#include "common/http/chars.h"

void
keys_init(struct keys *k)
{
	map_init(&k->by_hash, false);
}

void
keys_fini(struct keys *k)
{
	map_fini(&k->by_hash);
}

/* The bytes of 64 hexadecimal digits, in the arena; empty: it is no such text.
 */
static span
keys_hash(struct arena *a, span hex)
{
	char *out = arena_alloc(a, KEYS_HASH_LEN);

	if (hex.len != (size_t)2 * KEYS_HASH_LEN)
		return span_of(NULL, 0);
	for (size_t i = 0; i < KEYS_HASH_LEN; i++) {
		int high = char_hex(hex.p[2 * i]);
		int low = char_hex(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return span_of(NULL, 0);
		out[i] = (char)(high << 4 | low);
	}
	return span_of(out, KEYS_HASH_LEN);
}

static void
keys_read_line(struct keys *k, const struct auth_file *f, span line, uint32_t n)
{
	span *name = arena_alloc(f->arena, sizeof(*name));
	const char *why;
	span rest = line;
	span hash;

	(void)span_cut(&rest, ':', name);
	why = auth_name_fault(*name);
	if (rest.p == NULL)
		why = "there is no ':' behind the name";
	hash = rest.p == NULL ? rest : keys_hash(f->arena, span_trim(rest));
	if (why == NULL && hash.len == 0)
		why = "a key is written as its SHA-256, 64 hexadecimal digits "
		      "(printf %s KEY | sha256sum)";
	if (why == NULL && map_get(&k->by_hash, hash) != NULL)
		why = "the same key stands here before";
	if (why != NULL)
		auth_file_error(f, n, "%s", why);
	else
		(void)map_put(&k->by_hash, hash, name);
}

void
keys_read(struct keys *k, const struct auth_file *f, span text)
{
	uint32_t n = 0;
	span line;

	while (auth_file_line(f, &text, &line, &n))
		keys_read_line(k, f, line, n);
}

span
keys_find(const struct keys *k, span key)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	const span *name;

	if (EVP_Digest(key.p, key.len, hash, &len, EVP_sha256(), NULL) != 1)
		return span_of(NULL, 0);
	name = map_get(&k->by_hash, span_of((const char *)hash, len));
	return name != NULL ? *name : span_of(NULL, 0);
}
