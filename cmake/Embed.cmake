# embed(TARGET SYMBOL FILE): compiles FILE into TARGET as the C array `const char SYMBOL[]`, with a NUL after its
# `const size_t SYMBOL_size` bytes. FILE is relative to the source folder at hand.
function(embed target symbol file)
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE source)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DOUTPUT=${output} -DSYMBOL=${symbol}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()

# migrations(TARGET COMPONENT): compiles the scripts in migrations/ into TARGET, as the list
# `const struct db_migration COMPONENT_MIGRATIONS[]` of `const size_t COMPONENT_MIGRATION_COUNT` steps, in capitals. The names
# of the scripts are the list: NNNN_name.sql for both dialects, or NNNN_name.sqlite.sql and NNNN_name.postgresql.sql.
function(migrations target component)
  # A script added to the folder changes its time. CONFIGURE_DEPENDS of file() would look at every build.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/migrations)
  file(GLOB files RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} migrations/*.sql)
  list(TRANSFORM files REPLACE "^migrations/([0-9]+_[a-z0-9_]+)\\..*$" "\\1" OUTPUT_VARIABLE steps)
  list(REMOVE_DUPLICATES steps)
  list(SORT steps)
  set(count 0)
  set(declarations "")
  set(rows "")
  foreach(step ${steps})
    math(EXPR count "${count} + 1")
    string(REGEX REPLACE "^([0-9]+)_(.*)$" "\\1;\\2" parts ${step})
    list(GET parts 0 number)
    list(GET parts 1 name)
    if(NOT number EQUAL count)
      message(FATAL_ERROR "${component}: migration ${step} is number ${count}")
    endif()
    set(row "\"${name}\"")
    foreach(dialect sqlite postgresql)
      set(symbol ${component}_${step}_${dialect})
      if(migrations/${step}.sql IN_LIST files)
        embed(${target} ${symbol} migrations/${step}.sql)
      elseif(migrations/${step}.${dialect}.sql IN_LIST files)
        embed(${target} ${symbol} migrations/${step}.${dialect}.sql)
      else()
        string(APPEND row ", NULL")
        continue()
      endif()
      string(APPEND declarations "extern const char ${symbol}[];\n")
      string(APPEND row ", ${symbol}")
    endforeach()
    string(APPEND rows "    {${row}},\n")
  endforeach()
  string(TOUPPER ${component} prefix)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${component}_migrations.c)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[#include "db/migrate.h"

@declarations@
extern const struct db_migration @prefix@_MIGRATIONS[];
extern const size_t @prefix@_MIGRATION_COUNT;
const struct db_migration @prefix@_MIGRATIONS[] = {
@rows@};
const size_t @prefix@_MIGRATION_COUNT = @count@;
]])
  target_sources(${target} PRIVATE ${output})
endfunction()
