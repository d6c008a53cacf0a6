/* SPDX-License-Identifier: Apache-2.0
 *
 * Says that it is a plugin, and exports no table. */
#include <flow/plugin.h>

FLOW_METADATA(
    "{\"abi\": {\"major\": 1, \"minor\": 0}, \"id\": \"no-symbol\", \"version\": \"1.0.0\","
    " \"summary\": \"Exports nothing\", \"license\": \"Apache-2.0\","
    " \"endpoints\": [{\"path\": \"/default\"}]}");
