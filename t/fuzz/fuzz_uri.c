/* fuzz/uri: any bytes as an authority, a URL and a path. */
#include "common/http/chars.h"
#include "common/http/uri.h"
#include "t/fuzz/fuzz.h"

static void
check_authority(span in)
{
	uint16_t port;
	span host;

	if (!uri_parse_authority(in, &host, &port))
		return;
	REQUIRE(host.len > 0 && host.p >= in.p &&
		host.p + host.len <= in.p + in.len);
	REQUIRE(span_chr(in, '@') < 0 && span_chr(in, '\0') < 0);
	/* a colon in the host is that of an IPv6 address in brackets */
	REQUIRE((span_chr(host, ':') >= 0) == (in.p[0] == '['));
}

/* A host has one spelling, and that has no other. */
static void
check_host(span in)
{
	char out[URI_HOST_CAP], again[URI_HOST_CAP];
	size_t len, len_again;
	struct ip ip, ip_again;
	enum uri_host rc;
	uint16_t port;
	span host;

	if (!uri_parse_authority(in, &host, &port))
		return;
	rc = uri_normalize_host(host, out, &len, &ip);
	REQUIRE(len < URI_HOST_CAP && (len > 0) == (rc != URI_HOST_AMBIGUOUS));
	if (rc == URI_HOST_AMBIGUOUS)
		return;
	REQUIRE(rc == uri_normalize_host(
			  span_of(out, len), again, &len_again, &ip_again));
	REQUIRE(span_eq(span_of(out, len), span_of(again, len_again)));
	REQUIRE(rc != URI_HOST_ADDRESS || ip_eq(&ip, &ip_again));
	/* what readers of addresses take for one is one */
	REQUIRE(rc == URI_HOST_ADDRESS || !ip_parse(span_of(out, len), &ip));
	REQUIRE(out[len - 1] != '.' && span_chr(host, '\0') < 0);
}

static void
check_url(span in)
{
	struct uri u;
	span host;
	uint16_t port;

	if (!uri_parse(in, &u))
		return;
	REQUIRE(chars_all(u.scheme, CHAR_SCHEME));
	REQUIRE(u.path.len > 0 && u.path.p[0] == '/');
	REQUIRE(chars_all(u.path, CHAR_TARGET));
	REQUIRE(u.has_query || u.query.len == 0);
	REQUIRE(uri_parse_authority(u.authority, &host, &port));
	REQUIRE(span_eq(host, u.host) && port == u.port);
}

static bool
has_dot_segment(span path)
{
	span rest = path;
	span segment;

	while (span_cut(&rest, '/', &segment))
		if (span_eq(segment, SPAN_LIT(".")) ||
		    span_eq(segment, SPAN_LIT("..")))
			return true;
	return false;
}

static void
check_path(span in)
{
	char *out = malloc(in.len > 0 ? in.len : 1);
	char *again = malloc(in.len > 0 ? in.len : 1);
	span copy = fuzz_dup(in);
	enum uri_path rc, rc_again;
	size_t len, len_again;
	span path;

	REQUIRE(out != NULL && again != NULL);
	rc = uri_normalize_path(in, out, &len);
	REQUIRE(len <= in.len);
	path = span_of(out, len);
	REQUIRE(rc != URI_PATH_PLAIN || span_eq(in, path));
	REQUIRE(rc != URI_PATH_CHANGED || !span_eq(in, path));
	REQUIRE(!has_dot_segment(path));
	REQUIRE(span_find(path, SPAN_LIT("//")) < 0);
	if (rc != URI_PATH_AMBIGUOUS) {
		REQUIRE(chars_all(path, CHAR_TARGET));
		REQUIRE(path.p[0] == '/' || path.p[0] == '*');
		/* the form of a form is itself */
		rc_again = uri_normalize_path(path, again, &len_again);
		REQUIRE(rc_again == URI_PATH_PLAIN);
		REQUIRE(span_eq(path, span_of(again, len_again)));
	}
	/* in place */
	rc_again =
	    uri_normalize_path(copy, (char *)(uintptr_t)copy.p, &len_again);
	REQUIRE(rc_again == rc && span_eq(path, span_of(copy.p, len_again)));
	fuzz_free(copy);
	free(again);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));

	check_authority(in);
	check_host(in);
	check_url(in);
	check_path(in);
	fuzz_free(in);
	return 0;
}
