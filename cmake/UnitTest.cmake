# unit_test(NAME [SOURCE FILE] LIBRARY...): builds NAME.c, or FILE, linked with cmocka and the libraries, as the CTest test unit.NAME.
# It finds the tests' private PostgreSQL in the environment (tests/CMakeLists.txt starts it). Names are unique in the whole tree;
# files need not be: batch_test.c of booking-svc is unit.booking_batch_test.
function(unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" SOURCE "")
  if(NOT arg_SOURCE)
    set(arg_SOURCE ${name}.c)
  endif()
  add_executable(${name} ${arg_SOURCE})
  target_link_libraries(${name} PRIVATE screening_options PkgConfig::CMOCKA ${arg_UNPARSED_ARGUMENTS})
  add_test(NAME unit.${name}
           COMMAND ${CMAKE_SOURCE_DIR}/tests/kit/with-cluster ${CMAKE_BINARY_DIR}/tests/postgresql
                   $<TARGET_FILE:${name}>)
  set_tests_properties(unit.${name} PROPERTIES FIXTURES_REQUIRED postgresql LABELS unit TIMEOUT 300)
endfunction()
