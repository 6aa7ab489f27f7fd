# protobuf-c has no copy of the well-known types: those we use are generated beside ours.
find_path(PROTOBUF_WELL_KNOWN google/protobuf/timestamp.proto PATHS /usr/include REQUIRED)

# Where protoc-c finds our .proto files. It refuses proto3's `optional` up to version 1.4; what such a field is on the wire and in
# memory, it makes of a oneof with one member: `optional uint32 capacity = 3;` becomes capacity and capacity_presence_case in C.
set(PROTOS_FOR_C ${CMAKE_BINARY_DIR}/protos-for-c)

function(write_proto_for_c file)
  file(READ ${CMAKE_SOURCE_DIR}/proto/${file} text)
  string(REGEX REPLACE "\n  optional ([A-Za-z0-9_.]+) ([a-z0-9_]+) = ([0-9]+);" "\n  oneof \\2_presence { \\1 \\2 = \\3; }"
         text "${text}")
  # protobuf-c leaves options out. lib/auth reads them from the descriptor set, so C needs only the messages of access.proto.
  string(REGEX REPLACE "\n    option \\(auth[.]v1[.]access\\)[^\n]*" "" text "${text}")
  string(REGEX REPLACE "\nextend [^{]*{[^}]*}\n" "" text "${text}")
  string(REGEX REPLACE "\nimport \"(auth/v1/access|google/protobuf/descriptor).proto\";" "" text "${text}")
  # A method with a stream of answers would become a unary one. Only gateway-svc serves such methods, without protobuf-c.
  string(REGEX REPLACE "\n  rpc [A-Za-z]+\\([A-Za-z]+\\) returns \\(stream [A-Za-z]+\\)( {[^}]*}|;)" "" text "${text}")
  file(CONFIGURE OUTPUT ${PROTOS_FOR_C}/${file} CONTENT "${text}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/${file})
endfunction()

# protobuf_c_library(TARGET FILE...): the C that protoc-c makes of the .proto files as a static library. They are named as in an
# import: "screening/v1/booking.proto" lies in proto/, "google/protobuf/..." is the system's; the header of the former is included
# as "screening/v1/booking.pb-c.h".
function(protobuf_c_library target)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated})
  set(sources)
  foreach(file IN LISTS ARGN)
    string(REPLACE ".proto" ".pb-c" stem ${file})
    if(file MATCHES "^google/protobuf/")
      set(source ${PROTOBUF_WELL_KNOWN}/${file})
    else()
      write_proto_for_c(${file})
      set(source ${PROTOS_FOR_C}/${file})
    endif()
    add_custom_command(
      OUTPUT ${generated}/${stem}.c ${generated}/${stem}.h
      COMMAND ${PROTOC_C} -I${PROTOS_FOR_C} -I${PROTOBUF_WELL_KNOWN} --c_out=${generated} ${file}
      DEPENDS ${source}
      VERBATIM)
    list(APPEND sources ${generated}/${stem}.c ${generated}/${stem}.h)
  endforeach()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} SYSTEM PUBLIC ${generated})
  target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUF_C)
  if(SCREENING_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${SCREENING_SANITIZE})
  endif()
endfunction()
