/* preset/security: the fields of `security_headers`; the table is
 * security.def. */
#ifndef GH_SECURITY_H
#define GH_SECURITY_H

struct exch;
struct security_level;

/* Add those of the level that the answer lacks. */
void security_apply(const struct security_level *l, struct exch *x);

#endif
