# libFuzzer targets. Each one also runs for SLUICE_FUZZ_SECONDS under ctest, label "fuzz".
set(SLUICE_FUZZ_SECONDS 10 CACHE STRING "How long each fuzz target runs under ctest")

# sluice_fuzz(NAME LINK lib [COVER source...])
# Makes fuzz_NAME from NAME.cpp. Its seeds are in corpus/NAME and only read; what it finds goes to the build folder.
# What guides it is which code of COVER, files of the library's, an input reaches; without them, of the whole library.
# Only that code is instrumented for it: the build is that of the sanitized tests.
function(sluice_fuzz name)
  cmake_parse_arguments(FUZZ "" "LINK" "COVER" ${ARGN})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set(finds ${CMAKE_BINARY_DIR}/finds/${name})
  file(MAKE_DIRECTORY ${finds})
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LINK})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY SLUICE_TESTS fuzz_${name})
  if(FUZZ_COVER)
    get_target_property(folder ${FUZZ_LINK} SOURCE_DIR)
    list(TRANSFORM FUZZ_COVER PREPEND ${folder}/)
    # An option that precompiled headers were not made with.
    set_property(SOURCE ${FUZZ_COVER} TARGET_DIRECTORY ${FUZZ_LINK} APPEND PROPERTY COMPILE_OPTIONS -fsanitize=fuzzer-no-link)
    set_property(SOURCE ${FUZZ_COVER} TARGET_DIRECTORY ${FUZZ_LINK} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
  else()
    target_compile_options(${FUZZ_LINK} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  add_test(NAME fuzz_${name}
           COMMAND fuzz_${name} -max_total_time=${SLUICE_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=1024
                   -artifact_prefix=${finds}-crash- -print_final_stats=1 ${finds} ${corpus})
  math(EXPR limit "${SLUICE_FUZZ_SECONDS} + 120")
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT ${limit})
endfunction()
