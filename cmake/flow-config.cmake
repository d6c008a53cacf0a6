# find_package(flow): flow::client and flow::flow for programs, flow_add_plugin for executors. What
# they are built from comes from the distribution, as for this project itself.
include(CMakeFindDependencyMacro)

find_dependency(Threads)
# Debian ships no config file for protobuf, so module mode must come before gRPC's config mode.
find_dependency(Protobuf MODULE)
find_dependency(gRPC CONFIG)
find_dependency(Boost 1.81 CONFIG COMPONENTS headers)
find_dependency(OpenSSL)
find_dependency(absl CONFIG)
find_dependency(fmt CONFIG)
find_dependency(spdlog CONFIG)
find_dependency(tomlplusplus CONFIG)

if(NOT TARGET utf8proc::utf8proc)
  find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
  add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
  set_target_properties(utf8proc::utf8proc PROPERTIES IMPORTED_LOCATION "${UTF8PROC_LIBRARY}")
endif()

include("${CMAKE_CURRENT_LIST_DIR}/flow-targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/FlowAddPlugin.cmake")
