# How every target of this project is compiled, in one place.
include(GoogleTest)

# Warnings and language of our own code. Generated code does not link this.
add_library(flow_options INTERFACE)
target_compile_features(flow_options INTERFACE cxx_std_20 c_std_11)
target_compile_options(flow_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Wold-style-cast>
  $<$<BOOL:${FLOW_WARNINGS_AS_ERRORS}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 warns of overlaps inside std::string that cannot happen (its bug 105651).
  target_compile_options(flow_options INTERFACE -Wno-restrict)
endif()
target_include_directories(flow_options INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(FLOW_SANITIZE STREQUAL "thread")
  # The distribution's protobuf is built without ThreadSanitizer; its headers would lay out messages
  # as if it were. -Wtsan warns of a fence in Asio, whose loops here have one thread each.
  add_compile_options(-U__SANITIZE_THREAD__ -Wno-tsan)
endif()
if(FLOW_FUZZ)
  # Coverage for the fuzzer everywhere; its main is linked into the targets alone.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(FLOW_SANITIZE)
  # Instrumented, GCC takes std::regex and std::function for uninitialised (its bug 105562).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_compile_options(-fsanitize=${FLOW_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${FLOW_SANITIZE})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# flow_library(core SOURCES a.cpp ... LINKS ...): a static library flow_core, also flow::core.
function(flow_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRECOMPILE" ${ARGN})
  add_library(flow_${name} STATIC ${arg_SOURCES})
  add_library(flow::${name} ALIAS flow_${name})
  target_link_libraries(flow_${name} PUBLIC ${arg_LINKS} PRIVATE flow_options)
  target_include_directories(flow_${name} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
  if(arg_PRECOMPILE)
    target_precompile_headers(flow_${name} PRIVATE ${arg_PRECOMPILE})
  endif()
endfunction()

# flow_executable(flow-host SOURCES main.cpp LINKS ...). Built without ENABLE_EXPORTS: our symbols
# must never satisfy a plugin's (docs/decisions/0003-static-core.md).
function(flow_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} flow_options)
endfunction()

# flow_test(unit_core LABEL unit SOURCES ... LINKS ...): one GoogleTest binary, one ctest per TEST.
function(flow_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINKS;PRECOMPILE" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 30)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock_main flow_options)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  if(arg_PRECOMPILE)
    target_precompile_headers(${name} PRIVATE ${arg_PRECOMPILE})
  endif()
  gtest_discover_tests(${name}
    PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT}
               ENVIRONMENT "XDG_STATE_HOME=${PROJECT_BINARY_DIR}/state"
    DISCOVERY_TIMEOUT 60)
endfunction()
