# libFuzzer targets. Each one also runs for SLUICE_FUZZ_SECONDS under ctest, label "fuzz".
set(SLUICE_FUZZ_SECONDS 10 CACHE STRING "How long each fuzz target runs under ctest")

# sluice_fuzz(NAME LINK lib... [SOURCES file...] [CORPUS folder])
# Makes fuzz_NAME from NAME.cpp. Its seeds are in corpus/NAME and only read; what it finds goes to the build folder.
function(sluice_fuzz name)
  cmake_parse_arguments(FUZZ "" "CORPUS" "SOURCES;LINK" ${ARGN})
  if(NOT FUZZ_SOURCES)
    set(FUZZ_SOURCES ${name}.cpp)
  endif()
  if(NOT FUZZ_CORPUS)
    set(FUZZ_CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  endif()
  set(finds ${CMAKE_BINARY_DIR}/finds/${name})
  file(MAKE_DIRECTORY ${finds})
  add_executable(fuzz_${name} ${FUZZ_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LINK})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz_${name}
           COMMAND fuzz_${name} -max_total_time=${SLUICE_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=1024
                   -artifact_prefix=${finds}-crash- -print_final_stats=1 ${finds} ${FUZZ_CORPUS})
  math(EXPR limit "${SLUICE_FUZZ_SECONDS} + 120")
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT ${limit})
endfunction()
