# What `cmake --install` puts where: programs and plugins, and the package that find_package(flow)
# finds, with flow::client, flow::flow and flow_add_plugin. Our libraries are static, so those that
# the two need come along; they have no headers there.
include(CMakePackageConfigHelpers)

set(FLOW_PACKAGE_DIRECTORY lib/cmake/flow)

install(TARGETS flow-host flow-gateway RUNTIME DESTINATION bin)
install(TARGETS echo text-normalize text-encoder LIBRARY DESTINATION lib/flow/plugins)

set(libraries core proto proto_grpc wire client host_process flow)
foreach(library IN LISTS libraries)
  set_target_properties(flow_${library} PROPERTIES EXPORT_NAME ${library})
  list(APPEND targets flow_${library})
endforeach()
install(TARGETS ${targets} flow_options EXPORT flow ARCHIVE DESTINATION lib/flow)
install(EXPORT flow NAMESPACE flow:: DESTINATION ${FLOW_PACKAGE_DIRECTORY}
        FILE flow-targets.cmake)

install(DIRECTORY client/include/flow host/flow/include/flow plugin-api/include/flow
        DESTINATION include)
install(FILES plugin-api/plugin.map cmake/FlowAddPlugin.cmake cmake/flow-config.cmake
        DESTINATION ${FLOW_PACKAGE_DIRECTORY})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/flow-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/flow-config-version.cmake"
        DESTINATION ${FLOW_PACKAGE_DIRECTORY})

configure_file(packaging/systemd/flow-host.service.in
  "${PROJECT_BINARY_DIR}/flow-host.service" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/flow-host.service" DESTINATION lib/systemd/system)
