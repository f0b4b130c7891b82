/* master/cmd_version: -V. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ares.h>
#include <crypt.h>
#include <jansson.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <stdio.h>

#include "common/base/check.h"
#include "master/cmd.h"
#include "master/report.h"

#define PCRE2_VERSION_CAP 64

/* Parts that a build may do without. */
static const struct {
	const char *name;
	bool is_there;
} options[] = {
#ifdef HAVE_SECCOMP
    {"seccomp", true},
#else
    {"seccomp", false},
#endif
#ifdef HAVE_ZLIB
    {"zlib", true},
#else
    {"zlib", false},
#endif
#ifdef HAVE_BROTLI
    {"brotli", true},
#else
    {"brotli", false},
#endif
#ifdef HAVE_BROTLI_DICTIONARIES
    {"brotli-dictionaries", true},
#else
    {"brotli-dictionaries", false},
#endif
#ifdef HAVE_ZSTD
    {"zstd", true},
#else
    {"zstd", false},
#endif
#ifdef HAVE_MAXMINDDB
    {"maxminddb", true},
#else
    {"maxminddb", false},
#endif
#ifdef HAVE_LIBXML2
    {"libxml2", true},
#else
    {"libxml2", false},
#endif
#ifdef GH_STAGE_COSTS
    {"stage-costs", true},
#else
    {"stage-costs", false},
#endif
};

int
cmd_version(void)
{
	char pcre2[PCRE2_VERSION_CAP] = "?";

	(void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
	(void)printf("gatehouse %s\n", PACKAGE_VERSION);
	(void)printf("compiler %s\n", __VERSION__);
	(void)printf("library OpenSSL %s\n", OpenSSL_version(OPENSSL_VERSION));
	(void)printf("library PCRE2 %s\n", pcre2);
	(void)printf("library c-ares %s\n", ares_version(NULL));
	(void)printf("library jansson %s\n", jansson_version_str());
	(void)printf("library nghttp2 %s\n", nghttp2_version(0)->version_str);
	(void)printf("library libxcrypt %s\n", XCRYPT_VERSION_STR);
	(void)printf("library inih %s\n", GH_INIH_VERSION);
	for (size_t i = 0; i < NELEMS(options); i++)
		(void)printf("option %s %s\n", options[i].name,
		    options[i].is_there ? "on" : "absent");
	return report_flush();
}
