/* sec_xml_none: a build without libxml2: no body of XML is judged, so that each
 * is one that cannot be read. */
#ifndef HAVE_LIBXML2
#include "worker/sec/sec_multipart.h"
#include "worker/sec/sec_tx_int.h"

void
sec_xml_read(struct sec_tx *tx)
{
	sec_body_fault(tx, "XML parsing error: built without libxml2");
}

#endif
