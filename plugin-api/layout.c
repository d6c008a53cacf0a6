/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves at compile time that nothing in plugin.h has moved. After the first release: never edit a
 * line, only append those of appended fields. layout.cpp compiles the same lines as C++. */
#include <assert.h>
#include <stddef.h>

#include "flow/plugin.h"

#define SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " changed its size")
#define AT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), #type "." #field " moved")

static_assert(sizeof(void*) == 8, "64-bit only (A1)");

SIZE(flow_status, 4);
SIZE(flow_level, 4);

SIZE(flow_str, 16);
AT(flow_str, data, 0);
AT(flow_str, size, 8);

SIZE(flow_bytes, 16);
AT(flow_bytes, data, 0);
AT(flow_bytes, size, 8);

SIZE(flow_dtype, 4);
AT(flow_dtype, code, 0);
AT(flow_dtype, bits, 1);
AT(flow_dtype, lanes, 2);

SIZE(flow_tensor, 32);
AT(flow_tensor, data, 0);
AT(flow_tensor, size, 8);
AT(flow_tensor, shape, 16);
AT(flow_tensor, ndim, 24);
AT(flow_tensor, dtype, 28);

SIZE(flow_value, 24);
AT(flow_value, kind, 0);
AT(flow_value, count, 4);
AT(flow_value, as, 8);
AT(flow_value, as.number, 8);
AT(flow_value, as.text, 8);
AT(flow_value, as.node, 8);

SIZE(flow_doc, 176);
AT(flow_doc, id, 0);
AT(flow_doc, text, 16);
AT(flow_doc, uri, 32);
AT(flow_doc, mime_type, 48);
AT(flow_doc, blob, 64);
AT(flow_doc, tensor, 80);
AT(flow_doc, embedding, 112);
AT(flow_doc, tags, 144);
AT(flow_doc, handle, 168);

SIZE(flow_docs, 24);
AT(flow_docs, first, 0);
AT(flow_docs, count, 8);
AT(flow_docs, stride, 16);
AT(flow_docs, reserved, 20);

SIZE(flow_request, 112);
AT(flow_request, size, 0);
AT(flow_request, flags, 4);
AT(flow_request, id, 8);
AT(flow_request, endpoint, 24);
AT(flow_request, trace, 40);
AT(flow_request, deadline_ns, 56);
AT(flow_request, parameters, 64);
AT(flow_request, docs, 88);

SIZE(flow_host, 184);
AT(flow_host, size, 0);
AT(flow_host, abi_minor, 4);
AT(flow_host, impl, 8);
AT(flow_host, log, 16);
AT(flow_host, error, 24);
AT(flow_host, value_get, 32);
AT(flow_host, value_at, 40);
AT(flow_host, value_key, 48);
AT(flow_host, doc_children, 56);
AT(flow_host, doc_append, 64);
AT(flow_host, doc_remove, 72);
AT(flow_host, doc_set_id, 80);
AT(flow_host, doc_set_text, 88);
AT(flow_host, doc_set_uri, 96);
AT(flow_host, doc_set_mime_type, 104);
AT(flow_host, doc_new_blob, 112);
AT(flow_host, doc_new_tensor, 120);
AT(flow_host, doc_set_tag, 128);
AT(flow_host, doc_set_score, 136);
AT(flow_host, call_cancelled, 144);
AT(flow_host, call_progress, 152);
AT(flow_host, call_emit, 160);
AT(flow_host, call_finish, 168);
AT(flow_host, extension, 176);

SIZE(flow_plugin, 72);
AT(flow_plugin, size, 0);
AT(flow_plugin, abi_minor, 4);
AT(flow_plugin, flags, 8);
AT(flow_plugin, reserved, 12);
AT(flow_plugin, metadata, 16);
AT(flow_plugin, create, 24);
AT(flow_plugin, destroy, 32);
AT(flow_plugin, process, 40);
AT(flow_plugin, cancel, 48);
AT(flow_plugin, health, 56);
AT(flow_plugin, extension, 64);
