// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "flow/plugin.h"

// The table of a plugin that was built, as a host gets it. Never unloads, like the host.
inline const flow_plugin& loaded_plugin(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const void* table = dlsym(library, "flow_plugin_v1");
  if (table == nullptr) throw std::runtime_error(dlerror());
  return *static_cast<const flow_plugin*>(table);
}

inline const flow_plugin& shipped_plugin(const std::string& name) {
  return loaded_plugin(FLOW_TEST_PLUGIN_DIRECTORY "/" + name + ".so");
}
inline const flow_plugin& testing_plugin(const std::string& name) {
  return loaded_plugin(FLOW_TEST_TESTING_PLUGIN_DIRECTORY "/" + name + ".so");
}
