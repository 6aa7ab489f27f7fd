# What `cmake --install` gives: the programs, and what a client of the services in C needs, in one library.
include(GNUInstallDirs)

install(TARGETS hospital-svc booking-svc history-svc gateway-svc screenctl)

# The libraries that a client is made of, as one: nobody outside has to know how we cut them. lib_rpc's server and what
# else a program does not use stays behind in the archive.
add_library(screening_client STATIC
  $<TARGET_OBJECTS:lib_base> $<TARGET_OBJECTS:lib_rpc> $<TARGET_OBJECTS:screening_proto>)
set_target_properties(screening_client PROPERTIES OUTPUT_NAME screening-client LINKER_LANGUAGE C)
install(TARGETS screening_client)

# In a folder of their own, which pkg-config names: "rpc/channel.h" is included as in this tree.
set(CLIENT_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR}/screening)
install(FILES lib/base/arena.h lib/base/civil.h lib/base/clock.h lib/base/status.h lib/base/uuid.h
        DESTINATION ${CLIENT_INCLUDE}/base)
install(FILES lib/rpc/breaker.h lib/rpc/channel.h lib/rpc/retry.h lib/rpc/traceparent.h DESTINATION ${CLIENT_INCLUDE}/rpc)
install(DIRECTORY ${CMAKE_BINARY_DIR}/proto/generated/ DESTINATION ${CLIENT_INCLUDE}
        FILES_MATCHING PATTERN *.pb-c.h)

install(DIRECTORY proto/ DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/proto FILES_MATCHING PATTERN *.proto)

# The file finds the prefix from where it lies itself, so that an installed tree may be moved.
set(PKG_CONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PREFIX_FROM_PKG_CONFIG /prefix/${PKG_CONFIG_FOLDER} /prefix)
if(SCREENING_SANITIZE)
  set(CLIENT_SANITIZE " -fsanitize=${SCREENING_SANITIZE}")
endif()
configure_file(cmake/screening-client.pc.in screening-client.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/screening-client.pc DESTINATION ${PKG_CONFIG_FOLDER})
