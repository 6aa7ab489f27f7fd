# unit_test(NAME LIBRARY...): builds NAME.c, linked with cmocka and the libraries, as the CTest test unit.NAME. It finds
# the tests' private PostgreSQL in the environment (tests/CMakeLists.txt starts it).
function(unit_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE screening_options PkgConfig::CMOCKA ${ARGN})
  add_test(NAME unit.${name}
           COMMAND ${CMAKE_SOURCE_DIR}/tests/kit/with-cluster ${CMAKE_BINARY_DIR}/tests/postgresql
                   $<TARGET_FILE:${name}>)
  set_tests_properties(unit.${name} PROPERTIES FIXTURES_REQUIRED postgresql LABELS unit TIMEOUT 300)
endfunction()
