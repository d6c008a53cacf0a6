/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers every request with its own documents. The smallest plugin there is, in plain C. */
#include <flow/plugin.h>

FLOW_METADATA(
    "{\"abi\": {\"major\": 1, \"minor\": 0},"
    " \"id\": \"echo\", \"version\": \"1.0.0\", \"license\": \"Apache-2.0\","
    " \"summary\": \"Returns documents unchanged\","
    " \"endpoints\": [{\"path\": \"/default\", \"summary\": \"Changes nothing\"}]}");

/* Every executor is this one: there is nothing to remember. */
struct flow_executor {
  char unused;
};
static struct flow_executor echo;

static flow_status create(const flow_host* host, const flow_value* config,
                          flow_executor** executor) {
  (void)host;
  (void)config;
  *executor = &echo;
  return FLOW_OK;
}

static void destroy(flow_executor* executor) { (void)executor; }

/* The response starts as the request's documents, so there is nothing to do. */
static flow_status process(flow_executor* executor, const flow_request* request, flow_call* call) {
  (void)executor;
  (void)request;
  (void)call;
  return FLOW_OK;
}

const flow_plugin flow_plugin_v1 = {
    .size = sizeof(flow_plugin),
    .abi_minor = FLOW_ABI_MINOR,
    .flags = FLOW_CONCURRENT | FLOW_BATCHES,
    .metadata = flow_metadata.desc,
    .create = create,
    .destroy = destroy,
    .process = process,
};
