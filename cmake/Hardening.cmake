# What makes faults in memory harder to exploit, for every target, the generated sources included. tests/hardening/binaries.py reads
# it back from the installed files.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

# harden_if_supported(FLAG): compiles everything with the flag if the compiler has it for this processor.
function(harden_if_supported flag)
  string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
  set(CMAKE_REQUIRED_FLAGS -Werror) # clang only warns of a flag that is for other processors
  check_c_compiler_flag(${flag} ${have})
  if(${have})
    add_compile_options(${flag})
  endif()
endfunction()

# Addresses that differ at each start. A library is compiled with -fPIC by CMake.
add_compile_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:POSITION_INDEPENDENT_CODE>>>:-fPIE>)
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
# The tables of addresses are read-only before main begins, and neither stack nor heap is executable.
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)

harden_if_supported(-fstack-protector-strong)
harden_if_supported(-fstack-clash-protection)
# Indirect calls and returns reach only places that were made for them: the first on x86, the second on ARM.
harden_if_supported(-fcf-protection=full)
harden_if_supported(-mbranch-protection=standard)

# Bounds of copies into objects whose size the compiler knows. It knows sizes only when it optimises, and the sanitizers check more.
if(NOT SCREENING_SANITIZE)
  set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -Werror")
  check_c_source_compiles("
    #include <stdio.h>
    #if __USE_FORTIFY_LEVEL < 3
    #error
    #endif
    int main(void) { return 0; }" HAVE_FORTIFY_SOURCE_3)
  unset(CMAKE_REQUIRED_FLAGS)
  set(FORTIFY_LEVEL $<IF:$<BOOL:${HAVE_FORTIFY_SOURCE_3}>,3,2>)
  add_compile_options("$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${FORTIFY_LEVEL}>")
endif()
