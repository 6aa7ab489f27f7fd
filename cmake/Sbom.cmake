# The target sbom: a list, in SPDX 2.3, of what is installed and of every package whose library it loads.
set(SBOM ${CMAKE_BINARY_DIR}/screening.spdx.json)
set(SBOM_TARGETS hospital-svc booking-svc history-svc gateway-svc screenctl screening_client)
if(NATS_FOUND)
  list(APPEND SBOM_TARGETS jetstream-bridge)
endif()
list(TRANSFORM SBOM_TARGETS REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE SBOM_FILES)
add_custom_command(
  OUTPUT ${SBOM}
  COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/cmake/sbom.py --version ${PROJECT_VERSION} --out ${SBOM}
          --opens screenctl=libcurl.so.4 ${SBOM_FILES}
  DEPENDS ${SBOM_TARGETS} ${CMAKE_SOURCE_DIR}/cmake/sbom.py
  VERBATIM)
add_custom_target(sbom ALL DEPENDS ${SBOM})
