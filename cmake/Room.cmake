# A room is a folder under src/, a namespace and a target: every .cpp in it is compiled, *_test.cpp goes to the
# room's test program. Which rooms and libraries a room may include stands in tools/layers.txt.
include(GoogleTest)

# sluice_room(NAME [PUBLIC lib...] [PRIVATE lib...] [PCH asio])
# Makes sluice_NAME from the current folder and NAME_test from its tests. Without PCH: a room that knows no Asio.
function(sluice_room name)
  cmake_parse_arguments(ROOM "" "PCH" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  set(target sluice_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
    if(ROOM_PCH)
      target_precompile_headers(${target} REUSE_FROM pch_${ROOM_PCH})
    endif()
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ROOM_PUBLIC})
  endif()
  if(tests)
    sluice_test(${name}_test SOURCES ${tests} LINK ${target} ${ROOM_PRIVATE} PCH ${ROOM_PCH})
  endif()
endfunction()

# sluice_test(NAME SOURCES file... LINK lib... [PCH asio] [LABELS label...])
# A GoogleTest program whose cases ctest lists one by one; label "unit" unless told otherwise.
function(sluice_test name)
  cmake_parse_arguments(TEST "" "PCH" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT TEST_LABELS)
    set(TEST_LABELS unit)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LINK} ${RAPIDCHECK} GTest::gmock GTest::gtest_main)
  if(TEST_PCH STREQUAL "asio")
    target_precompile_headers(${name} REUSE_FROM pch_gtest_asio)
  else()
    target_precompile_headers(${name} REUSE_FROM pch_gtest)
  endif()
  # LD_BIND_NOW: a library that binds a function at its first call leaves the registers on the stack, where the tests
  # of what secrets leave behind would find one.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT 300 ENVIRONMENT LD_BIND_NOW=1)
endfunction()
