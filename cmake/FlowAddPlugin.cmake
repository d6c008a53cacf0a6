# For authors of plugins, in this tree and outside of it, which include() this file:
#
#   flow_add_plugin(upper SOURCES upper.cpp [LINKS libraries...] [OUTPUT_DIRECTORY directory])
#
# makes upper.so, in OUTPUT_DIRECTORY, else in ${FLOW_PLUGIN_OUTPUT_DIRECTORY}, else in the current
# binary directory. C and C++ sources; GCC and clang. Needs plugin.map and the headers of plugin-api,
# nothing else of this project.
include_guard(GLOBAL)

# Beside this file and in the prefix's include directory where it is installed, in plugin-api in the
# source tree.
find_file(FLOW_PLUGIN_MAP plugin.map
  PATHS "${CMAKE_CURRENT_LIST_DIR}" "${CMAKE_CURRENT_LIST_DIR}/../plugin-api"
  NO_DEFAULT_PATH REQUIRED)
mark_as_advanced(FLOW_PLUGIN_MAP)

if(NOT TARGET flow::plugin_api)
  find_path(FLOW_PLUGIN_INCLUDE_DIR flow/plugin.h
    PATHS "${CMAKE_CURRENT_LIST_DIR}/../plugin-api/include"
          "${CMAKE_CURRENT_LIST_DIR}/../../../include"
    NO_DEFAULT_PATH REQUIRED)
  mark_as_advanced(FLOW_PLUGIN_INCLUDE_DIR)
  add_library(flow::plugin_api INTERFACE IMPORTED GLOBAL)
  set_target_properties(flow::plugin_api PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${FLOW_PLUGIN_INCLUDE_DIR}")
endif()

# Do the flags in effect here ask for a sanitizer? Its runtime is found when the plugin is loaded.
function(_flow_plugin_sanitized result)
  get_directory_property(compile_options COMPILE_OPTIONS)
  get_directory_property(link_options LINK_OPTIONS)
  set(flags "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS}")
  string(FIND "${flags} ${compile_options} ${link_options}" "-fsanitize=" position)
  if(position EQUAL -1)
    set(${result} FALSE PARENT_SCOPE)
  else()
    set(${result} TRUE PARENT_SCOPE)
  endif()
endfunction()

function(flow_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_DIRECTORY" "SOURCES;LINKS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "flow_add_plugin(${ARGV}): expected name SOURCES files... "
                        "[LINKS libraries...] [OUTPUT_DIRECTORY directory]")
  endif()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}")
  foreach(candidate IN ITEMS "${FLOW_PLUGIN_OUTPUT_DIRECTORY}" "${arg_OUTPUT_DIRECTORY}")
    if(candidate)
      set(directory "${candidate}")
    endif()
  endforeach()

  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE flow::plugin_api ${arg_LINKS})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY "${directory}"
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS "${FLOW_PLUGIN_MAP}")

  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("C" IN_LIST languages)
    target_compile_features(${name} PRIVATE c_std_11)
  endif()
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_20)
  endif()

  # Hidden visibility alone leaves what the standard library's headers force to be visible, and
  # GNU_UNIQUE symbols, of which one keeps a library mapped for ever (rule A2).
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE
    "LINKER:--version-script=${FLOW_PLUGIN_MAP}" LINKER:--build-id)
  _flow_plugin_sanitized(sanitized)
  if(NOT sanitized)
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
endfunction()
