/* sec_multipart: a body of several parts (RFC 7578, RFC 2046 5.1), read strictly
 * for the firewall: whatever a lenient reader could take otherwise raises a
 * flag of its own. */
#ifndef GH_SEC_MULTIPART_H
#define GH_SEC_MULTIPART_H

#include "common/base/span.h"

struct sec_tx;

/* Read tx->body; `type` is the value of Content-Type. */
void sec_multipart_read(struct sec_tx *tx, span type);
/* Read tx->body as XML (sec_xml.c): its text is one value, each attribute
 * another. */
void sec_xml_read(struct sec_tx *tx);

#endif
