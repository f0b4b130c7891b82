/* bench/rules: what one request costs before the rules of files, without a
 * daemon, a socket or a server: CPU time, least of some rounds, of five requests.
 * With a name behind the level only that request is run (for callgrind).
 *
 *     bench/rules 1 crs-setup.conf rules/name.conf...
 *     bench/rules 1 form crs-setup.conf rules/name.conf...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/check.h"
#include "common/base/diag.h"
#include "common/base/num.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define ROUNDS 20
#define REQUESTS 10
#define MEMO_BYTES ((size_t)16 << 20)
#define JSON_BYTES 2048
#define FORM_BYTES 10240
#define BODY_CAP (FORM_BYTES + 1024)
#define POOL_CHUNKS 64

struct sample {
	const char *name;
	const char *method, *target, *type;
	char *body;
};

static const char prose[] =
    "The committee will meet on Thursday at 3:30 in the larger room, and "
    "everybody who wants to add a point should write it down before (Mary's "
    "list is full; don't use it). Prices go from $12.50 to 40, 5% less for "
    "members & friends. See https://www.example.org/news/2024/may?id=17 for "
    "more - or ask the caf\xc3\xa9 next door! ";

static void
put_escaped(char *to, size_t *n, size_t max, size_t from)
{
	for (size_t i = from; *n + 3 < max; i++) {
		uint8_t c = (uint8_t)prose[i % (sizeof(prose) - 1)];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '.' || c == '-')
			to[(*n)++] = (char)c;
		else if (c == ' ')
			to[(*n)++] = '+';
		else
			*n += (size_t)snprintf(to + *n, 4, "%%%02X", c);
	}
}

/* Some short fields, and two of text. */
static char *
form_make(void)
{
	char *b = malloc(BODY_CAP);
	size_t n;

	REQUIRE(b != NULL);
	n = (size_t)snprintf(b, BODY_CAP,
	    "name=Mary+O%%27Brien&email=mary%%40example.org&country=ie&age=42"
	    "&subject=");
	put_escaped(b, &n, FORM_BYTES / 4, 0);
	n += (size_t)snprintf(b + n, BODY_CAP - n, "&text=");
	put_escaped(b, &n, FORM_BYTES, 100);
	b[n] = '\0';
	return b;
}

static char *
json_make(void)
{
	char *b = malloc(BODY_CAP);
	size_t n = 1;

	REQUIRE(b != NULL);
	b[0] = '[';
	for (int i = 0; n + 160 < JSON_BYTES; i++)
		n += (size_t)snprintf(b + n, BODY_CAP - n,
		    "{\"id\":%d,\"name\":\"Widget no. %d\",\"price\":%d.95,"
		    "\"in_stock\":true,\"tags\":[\"blue\",\"small\"],\"note\":"
		    "\"ships within %d days\"},",
		    i + 1000, i, i * 7, i + 2);
	b[n - 1] = ']';
	b[n] = '\0';
	return b;
}

#define TEN \
	"/search?q=blue+widgets&page=2&sort=price&order=asc&lang=en&from=" \
	"2024-01-31&cat=garden+tools&min=10&max=250&ref=newsletter%2Fmay"

static void
samples_make(struct sample s[5])
{
	s[0] = (struct sample){"get", "GET", "/catalogue/garden", NULL, NULL};
	s[1] = (struct sample){"args", "GET", TEN, NULL, NULL};
	s[2] = (struct sample){
	    "json", "POST", "/api/items", "application/json", json_make()};
	s[3] = (struct sample){"form", "POST", "/comments",
	    "application/x-www-form-urlencoded", form_make()};
	s[4] = (struct sample){"attack", "GET",
	    "/?q=1%27+union+select+password+from+users--", NULL, NULL};
}

/* As a browser sends them. */
static uint32_t
fields_make(const struct sample *s, struct sec_field *f, char *length)
{
	static const struct sec_field usual[] = {
	    {SPAN_LIT("Host"), SPAN_LIT("shop.example.org")},
	    {SPAN_LIT("User-Agent"),
		SPAN_LIT("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
			 "Gecko/20100101 Firefox/128.0")},
	    {SPAN_LIT("Accept"),
		SPAN_LIT("text/html,application/xhtml+xml,application/xml;q="
			 "0.9,image/avif,image/webp,*/*;q=0.8")},
	    {SPAN_LIT("Accept-Language"), SPAN_LIT("en-GB,en;q=0.5")},
	    {SPAN_LIT("Accept-Encoding"), SPAN_LIT("gzip, deflate, br")},
	    {SPAN_LIT("Referer"), SPAN_LIT("https://shop.example.org/")},
	    {SPAN_LIT("Cookie"),
		SPAN_LIT("session=5f2b8c0e9a7d4e31; theme=dark; seen=1")},
	    {SPAN_LIT("Upgrade-Insecure-Requests"), SPAN_LIT("1")},
	    {SPAN_LIT("Sec-Fetch-Dest"), SPAN_LIT("document")},
	    {SPAN_LIT("Sec-Fetch-Mode"), SPAN_LIT("navigate")},
	    {SPAN_LIT("Sec-Fetch-Site"), SPAN_LIT("same-origin")},
	};
	uint32_t n = NELEMS(usual);

	memcpy(f, usual, sizeof(usual));
	if (s->body == NULL)
		return n;
	(void)snprintf(length, 21, "%zu", strlen(s->body));
	f[n++] =
	    (struct sec_field){SPAN_LIT("Content-Type"), span_str(s->type)};
	f[n++] =
	    (struct sec_field){SPAN_LIT("Content-Length"), span_str(length)};
	return n;
}

static span
server_addr(void *self)
{
	(void)self;
	return SPAN_LIT("192.0.2.1");
}

struct job {
	struct sec_plan *plan;
	struct sec_sieve_memo *memo;
	struct arena_pool pool;
};

static void
run(struct job *j, const struct sample *s, bool tells)
{
	struct sec_field fields[16];
	char length[21];
	struct sec_request r = {.method = span_str(s->method),
	    .target = span_str(s->target),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = fields,
	    .remote_addr = SPAN_LIT("192.0.2.7"),
	    .server_addr = server_addr,
	    .server_name = SPAN_LIT("shop.example.org"),
	    .id = SPAN_LIT("5f0c5f0c5f0c5f0c")};
	struct sec_answer answer = {
	    .status = 200, .protocol = SPAN_LIT("HTTP/1.1")};
	struct sec_tx *tx;
	struct arena a;

	r.n_fields = fields_make(s, fields, length);
	arena_init(&a, &j->pool);
	tx = sec_tx_new(j->plan, j->memo, &a, &r);
	sec_tx_detect(tx);
	(void)sec_tx_phase(tx, 1);
	if (s->body != NULL)
		sec_tx_body(tx, span_str(s->body));
	(void)sec_tx_phase(tx, 2);
	sec_tx_answer(tx, &answer);
	for (uint8_t phase = 3; phase <= 5; phase++)
		(void)sec_tx_phase(tx, phase);
	for (const struct sec_message *m = sec_tx_messages(tx);
	     tells && m != NULL; m = m->next)
		(void)printf(" %llu", (unsigned long long)m->rule->id);
	arena_fini(&a);
}

static double
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
measure(struct job *j, const struct sample *s)
{
	double least = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double begin = now_us();
		double took;

		for (int i = 0; i < REQUESTS; i++)
			run(j, s, false);
		took = (now_us() - begin) / REQUESTS;
		if (round == 0 || took < least)
			least = took;
	}
	(void)printf("%-8s %9.1f us; logged:", s->name, least);
	run(j, s, true);
	(void)printf("\n");
}

static struct sec_set *
load(char **paths, int n)
{
	const struct sec_load l = {
	    .paths = (const char *const *)paths, .n_paths = (uint32_t)n};
	struct diag *d = diag_new();
	struct sec_set *set = sec_set_new(&l, d);

	if (set == NULL)
		(void)fprintf(stderr, "%s", diag_render(d));
	diag_free(d);
	return set;
}

int
main(int argc, char **argv)
{
	struct sec_fixed fixed[] = {
	    {SPAN_LIT("blocking_paranoia_level"), {0}},
	    {SPAN_LIT("detection_paranoia_level"), {0}},
	    {SPAN_LIT("executing_paranoia_level"), {0}},
	    {SPAN_LIT("paranoia_level"), {0}},
	};
	struct sample samples[5];
	const char *only = NULL;
	int first = 2;
	struct job j;
	struct sec_set *set;

	if (argc < 3)
		return 2;
	samples_make(samples);
	for (size_t i = 0; i < NELEMS(samples); i++)
		if (strcmp(samples[i].name, argv[2]) == 0) {
			only = argv[2];
			first = 3;
		}
	for (size_t i = 0; i < NELEMS(fixed); i++)
		fixed[i].value = span_str(argv[1]);
	set = load(argv + first, argc - first);
	if (set == NULL)
		return 1;
	j.plan = sec_plan_new(set, fixed, NELEMS(fixed));
	j.memo = sec_plan_memo(j.plan, MEMO_BYTES);
	arena_pool_init(&j.pool, POOL_CHUNKS);
	for (size_t i = 0; i < NELEMS(samples); i++)
		if (only == NULL || strcmp(samples[i].name, only) == 0)
			measure(&j, &samples[i]);
	(void)printf("sieve: %llu fills\n",
	    (unsigned long long)sec_sieve_memo_fills(j.memo));
	arena_pool_fini(&j.pool);
	sec_sieve_memo_free(j.memo);
	sec_plan_free(j.plan);
	sec_set_free(set);
	free(samples[2].body);
	free(samples[3].body);
	return 0;
}
