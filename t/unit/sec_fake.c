/* unit/sec_fake: operators and maps that are nothing but there. */
#include <stdlib.h>
#include <stdio.h>
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_trans.h"
struct sec_test {
	int x;
};
struct sec_test *
sec_test_new(enum sec_op op, span argument, const struct sec_test_env *env,
    struct place at, struct diag *d)
{
	(void)op;
	(void)argument;
	(void)env;
	(void)at;
	(void)d;
	return calloc(1, sizeof(struct sec_test));
}
void
sec_test_free(struct sec_test *t)
{
	free(t);
}
struct sec_unicode *
sec_unicode_new(const char *path, uint32_t c, struct place at, struct diag *d)
{
	(void)path;
	(void)c;
	(void)at;
	(void)d;
	return calloc(1, sizeof(struct sec_unicode));
}
void
sec_unicode_free(struct sec_unicode *m)
{
	free(m);
}
