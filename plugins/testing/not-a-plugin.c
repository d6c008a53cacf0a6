/* SPDX-License-Identifier: Apache-2.0
 *
 * A shared library like any other. */
int not_a_plugin(void);
int not_a_plugin(void) { return 0; }
