# What `cmake --install` gives: the programs, and what a client of the services in C needs, in one library.
include(GNUInstallDirs)

install(TARGETS hospital-svc booking-svc history-svc gateway-svc screenctl)
if(NATS_FOUND)
  install(TARGETS jetstream-bridge)
endif()

# What all of these are made of.
install(FILES ${SBOM} DESTINATION ${CMAKE_INSTALL_DATADIR}/screening)

# The client library: shared and static, its header and the generated ones, for pkg-config and for find_package(screening).
install(TARGETS screening_client)
install(FILES ${CMAKE_BINARY_DIR}/lib/client/libscreening-client.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
# In a folder of its own, which pkg-config and the CMake package name.
set(CLIENT_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR}/screening)
install(FILES lib/client/client.h ${CMAKE_BINARY_DIR}/lib/client/include/screening/client_version.h
        DESTINATION ${CLIENT_INCLUDE}/screening)
install(DIRECTORY ${CMAKE_BINARY_DIR}/proto/generated/screening ${CMAKE_BINARY_DIR}/proto/generated/google
        DESTINATION ${CLIENT_INCLUDE} FILES_MATCHING PATTERN *.pb-c.h)
install(FILES proto/screening/v1/words.h DESTINATION ${CLIENT_INCLUDE}/screening/v1)

# The front door: a script that starts HAProxy, with its configuration and a unit for systemd beside it.
install(PROGRAMS deploy/front/front DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/front)
install(FILES deploy/front/haproxy.cfg deploy/front/screening-front.service DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/front)

# The wire doors, in the same way.
install(PROGRAMS deploy/wires/wires DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/wires)
install(FILES deploy/wires/haproxy.cfg deploy/wires/screening-wires@.service DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/wires)

# PostgreSQL that fails over by itself: a script for trials, and templates for three machines.
install(PROGRAMS deploy/ha/cluster DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/ha)
install(FILES deploy/ha/etcd.env deploy/ha/patroni.env deploy/ha/patroni.yml deploy/ha/patroni-watchdog.conf
        DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/ha)

# Connectors of Debezium, which read the logs.
install(DIRECTORY deploy/debezium DESTINATION ${CMAKE_INSTALL_DATADIR}/screening)

# The units of the services, and their defaults.
install(DIRECTORY deploy/systemd/ DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/systemd)
install(FILES deploy/postgresql/roles.sql DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/postgresql)

install(DIRECTORY proto/ DESTINATION ${CMAKE_INSTALL_DATADIR}/screening/proto FILES_MATCHING PATTERN *.proto)

# The file finds the prefix from where it lies itself, so that an installed tree may be moved.
set(PKG_CONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PREFIX_FROM_PKG_CONFIG /prefix/${PKG_CONFIG_FOLDER} /prefix)
if(SCREENING_SANITIZE)
  set(CLIENT_SANITIZE " -fsanitize=${SCREENING_SANITIZE}")
endif()
configure_file(cmake/screening-client.pc.in screening-client.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/screening-client.pc DESTINATION ${PKG_CONFIG_FOLDER})

include(CMakePackageConfigHelpers)
set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/screening)
configure_package_config_file(cmake/screening-config.cmake.in ${CMAKE_BINARY_DIR}/screening-config.cmake
  INSTALL_DESTINATION ${PACKAGE_FOLDER} PATH_VARS CLIENT_INCLUDE CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/screening-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/screening-config.cmake ${CMAKE_BINARY_DIR}/screening-config-version.cmake
        DESTINATION ${PACKAGE_FOLDER})
