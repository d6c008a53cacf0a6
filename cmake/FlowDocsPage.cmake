# Swagger UI, the page at /docs, as files that are built into the gateway: plain, and compressed for
# the browsers that take it so (docs/decisions/0015-swagger-ui-is-built-in.md).
set(FLOW_DOCS_PAGE AUTO CACHE STRING
    "Build Swagger UI, the page at /docs, into the gateway: ON, OFF, or AUTO, if it can be had")
set(FLOW_SWAGGER_UI "$ENV{FLOW_SWAGGER_UI}" CACHE FILEPATH
    "Swagger UI's tarball, for builds without a network; empty: it is downloaded")

set(flow_swagger_ui_version 5.35.0)
set(flow_swagger_ui_sha512
    534eaba4cb56f55dd73c638179a993512af4674f63317e0826e00da44fc465b021c341bc0a0c2bcd4e18997927fe1d3008336c5dd19aad334d1c2dec53cc9551)
set(flow_swagger_ui_url
    "https://registry.npmjs.org/swagger-ui-dist/-/swagger-ui-dist-${flow_swagger_ui_version}.tgz")

# Sets `to` to the path of the tarball, whose content is what we expect; with AUTO maybe to "".
function(flow_get_swagger_ui to)
  if(FLOW_SWAGGER_UI)
    file(SHA512 "${FLOW_SWAGGER_UI}" found)
    if(NOT found STREQUAL flow_swagger_ui_sha512)
      message(FATAL_ERROR "FLOW_SWAGGER_UI: ${FLOW_SWAGGER_UI} is not what "
                          "${flow_swagger_ui_url} is: its SHA-512 is ${found}")
    endif()
    set(${to} "${FLOW_SWAGGER_UI}" PARENT_SCOPE)
    return()
  endif()
  set(tarball "${PROJECT_BINARY_DIR}/docs-page/swagger-ui-dist-${flow_swagger_ui_version}.tgz")
  set(found "")
  if(EXISTS "${tarball}")
    file(SHA512 "${tarball}" found)
  endif()
  if(NOT found STREQUAL flow_swagger_ui_sha512)
    message(STATUS "Downloading ${flow_swagger_ui_url}")
    # The digest says what it is, whoever it comes from: so no certificate is asked for.
    file(DOWNLOAD "${flow_swagger_ui_url}" "${tarball}" STATUS status TLS_VERIFY OFF
         INACTIVITY_TIMEOUT 30)
    file(SHA512 "${tarball}" found)
    if(NOT found STREQUAL flow_swagger_ui_sha512)
      list(POP_FRONT status code what)
      set(problem "${flow_swagger_ui_url} could not be downloaded (${what}; SHA-512 ${found}). Set "
          "FLOW_SWAGGER_UI to a copy of it, or FLOW_DOCS_PAGE to OFF for a build without the page.")
      if(NOT FLOW_DOCS_PAGE STREQUAL "AUTO")
        message(FATAL_ERROR ${problem})
      endif()
      message(WARNING ${problem} " This build is without it: /docs lists the endpoints.")
      set(${to} "" PARENT_SCOPE)
      return()
    endif()
  endif()
  set(${to} "${tarball}" PARENT_SCOPE)
endfunction()

# Adds to `target` a source file with the files, or with none.
function(flow_add_docs_page target)
  set(FLOW_DOCS_EMBEDDED "")
  set(FLOW_DOCS_TABLE "")
  set(FLOW_DOCS_VERSION "")
  set(embedded "")
  set(tarball "")
  if(FLOW_DOCS_PAGE)
    flow_get_swagger_ui(tarball)
  endif()
  if(tarball)
    set(FLOW_DOCS_VERSION "${flow_swagger_ui_version}")
    set(folder "${PROJECT_BINARY_DIR}/docs-page/${flow_swagger_ui_version}")
    set(files swagger-ui.css swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt
              favicon-32x32.png LICENSE NOTICE)
    set(type_.css "text/css; charset=utf-8")
    set(type_.js "text/javascript; charset=utf-8")
    set(type_.txt "text/plain; charset=utf-8")
    set(type_.png "image/png")
    set(type_ "text/plain; charset=utf-8")
    list(TRANSFORM files PREPEND "package/" OUTPUT_VARIABLE members)
    file(ARCHIVE_EXTRACT INPUT "${tarball}" DESTINATION "${folder}" PATTERNS ${members})
    set(index 0)
    foreach(file IN LISTS files)
      set(plain "${folder}/package/${file}")
      set(gzip "${folder}/${file}.gz")
      if(NOT EXISTS "${gzip}")
        file(ARCHIVE_CREATE OUTPUT "${gzip}" PATHS "${plain}" FORMAT raw COMPRESSION GZip
             COMPRESSION_LEVEL 9)
      endif()
      cmake_path(GET file EXTENSION LAST_ONLY extension)
      string(APPEND FLOW_DOCS_EMBEDDED
             "FLOW_EMBED(flow_docs_plain_${index}, \"${plain}\");\n"
             "FLOW_EMBED(flow_docs_gzip_${index}, \"${gzip}\");\n")
      string(APPEND FLOW_DOCS_TABLE
             "    {\"${file}\", \"${type_${extension}}\", FLOW_EMBEDDED(flow_docs_plain_${index}),\n"
             "     FLOW_EMBEDDED(flow_docs_gzip_${index})},\n")
      list(APPEND embedded "${plain}" "${gzip}")
      math(EXPR index "${index} + 1")
    endforeach()
  endif()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/docs_assets.cpp")
  configure_file("${PROJECT_SOURCE_DIR}/gateway/services/docs_assets.cpp.in" "${source}" @ONLY)
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${embedded}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
