# unit_test(NAME LIBRARY...): builds NAME.c, linked with cmocka and the libraries, as the CTest test unit.NAME.
function(unit_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE screening_options PkgConfig::CMOCKA ${ARGN})
  add_test(NAME unit.${name} COMMAND ${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
